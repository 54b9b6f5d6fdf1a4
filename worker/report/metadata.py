"""The content of `metadata.json`; docs/model-files.md explains each key."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from worker.backbone.architectures import ARCHITECTURES
from worker.backbone.template import OUTPUT, SCORE_NODE
from worker.evaluation.accuracy_json import as_json
from worker.evaluation.thresholds import Rejection
from worker.photos.decode import PREPARATION
from worker.report.description import ModelDescription
from worker.version import version_of

FORMAT_VERSION: Final = 1
"""Counts up when a client that reads the keys as they are would be wrong about one."""

LIBRARIES: Final = (
    "ai-edge-litert",
    "keras",
    "numpy",
    "pillow",
    "pillow-heif",
    "scipy",
    "tensorflow",
    "tensorflowjs",
)


def metadata(model: ModelDescription, files: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """`files` are the bytes and sha256 of the version's other files, by their names."""
    return {
        "format_version": FORMAT_VERSION,
        "version": model.version,
        "job_id": model.job_id,
        "started_at": model.started_at.isoformat(timespec="seconds"),
        "trained_at": model.trained_at.isoformat(timespec="seconds"),
        "format": "tfjs-graph-model",
        "label_scheme": "sku",
        "labels": [product.sku for product in model.products],
        "counts": {
            "products": len(model.products),
            "photos": model.photos,
            "broken_colour_profiles": model.broken_profiles,
            "negatives": model.negatives,
        },
        "accuracy": as_json(model.evaluation),
        "rejection": model.rejection and _without_curve(model.rejection),
        "promotion": asdict(model.promotion),
        "advice": [asdict(advice) for advice in model.advice],
        "fingerprint": model.fingerprint,
        "recipe": model.recipe,
        "input": PREPARATION,
        "output": {
            "shape": [None, len(model.products)],
            "meaning": "probabilities in the order of labels",
            "node": OUTPUT,
            "score": {
                "node": SCORE_NODE,
                "shape": [None],
                "meaning": "out-of-distribution score of each photo; compare it with the thresholds in rejection",
            },
        },
        "backbone": {
            "architecture": model.backbone.architecture,
            "name": ARCHITECTURES[model.backbone.architecture].title,
            "reason": model.backbone_reason,
            "weights": model.backbone.weights,
            "weights_sha256": model.backbone.weights_sha256,
            "recognises_nothing": model.recognises_nothing,
        },
        "training": model.options.model_dump(mode="json")
        | {
            "method": model.method,
            "reason": model.reason,
            "started_from": model.started_from,
            "views": model.views,
        },
        "skipped": {
            "counts": model.skipped_by_reason,
            "photos": [asdict(photo) for photo in model.skipped],
        },
        "libraries": {name: version_of(name) for name in LIBRARIES},
        "files": files,
    }


def _without_curve(rejection: Rejection) -> dict[str, object]:
    return {name: value for name, value in asdict(rejection).items() if name != "curve"}
