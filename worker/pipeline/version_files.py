"""Stage 6: what a client needs beside the weights, and all of it safely on the disk."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version as installed
from pathlib import Path

from worker.backbone.architecture import NAME
from worker.backbone.cache import Facts
from worker.catalogue.photo_files import Product, SkippedPhoto
from worker.evaluation.metrics import Evaluation, as_json
from worker.evaluation.thresholds import Rejection
from worker.job.advice import Advice
from worker.job.options import Options
from worker.job.promotion import Promotion
from worker.photos.decode import RECIPE
from worker.pipeline.compare import DIGITS, TRAINED_ON
from worker.pipeline.published_model import METADATA
from worker.registry.folder import sync_tree

LIBRARIES = (
    "ai-edge-litert",
    "imagehash",
    "keras",
    "numpy",
    "pillow",
    "pillow-heif",
    "scipy",
    "tensorflow",
    "tensorflowjs",
)


@dataclass(frozen=True)
class Description:
    """What is to be said of a trained model. `logits` is the node of the graph that the score is read from."""

    version: str
    job_id: str
    started_at: datetime
    trained_at: datetime
    products: tuple[Product, ...]
    photos: int
    negatives: int
    skipped: tuple[SkippedPhoto, ...]
    evaluation: Evaluation
    rejection: Rejection | None
    promotion: Promotion
    advice: tuple[Advice, ...]
    fingerprint: str
    options: Options
    backbone: Facts
    logits: str
    method: str
    reason: str
    views: int


def deploy_held_out(labels: Sequence[str], trained_on: Sequence[str], folder: Path) -> None:
    """Write the `metadata.json` of the model held out, into its `folder`: its labels, and by their sha256 which
    photos trained it."""
    content = {
        "labels": list(labels),
        TRAINED_ON: sorted({digest[:DIGITS] for digest in trained_on}),
        "files": _files(folder),
    }
    _write(folder / METADATA, content)


def deploy(description: Description, folder: Path) -> None:
    """Write `product_mapping.json` and `metadata.json` beside the model's files, and sync the folder."""
    mapping = {
        "products": [
            {"index": index, **asdict(product)} for index, product in enumerate(description.products)
        ]
    }
    _write(folder / "product_mapping.json", mapping)
    _write(folder / METADATA, metadata(description, _files(folder)))
    sync_tree(folder)


def metadata(description: Description, files: dict[str, dict[str, object]]) -> dict[str, object]:
    """The content of `metadata.json`; docs/model-files.md explains each key."""
    return {
        "version": description.version,
        "job_id": description.job_id,
        "started_at": description.started_at.isoformat(timespec="seconds"),
        "trained_at": description.trained_at.isoformat(timespec="seconds"),
        "format": "tfjs-graph-model",
        "label_scheme": "sku",
        "labels": [product.sku for product in description.products],
        "counts": {
            "products": len(description.products),
            "photos": description.photos,
            "negatives": description.negatives,
        },
        "accuracy": as_json(description.evaluation),
        "rejection": description.rejection and rejection_as_json(description.rejection),
        "promotion": asdict(description.promotion),
        "advice": [asdict(advice) for advice in description.advice],
        "fingerprint": description.fingerprint,
        "input": RECIPE,
        "output": {
            "shape": [None, len(description.products)],
            "meaning": "probabilities in the order of labels",
            "score": {
                "node": description.logits,
                "meaning": "the highest value of this node tells how much a photo looks like one of ours",
            },
        },
        "backbone": {
            "name": NAME,
            "weights": description.backbone.weights,
            "weights_sha256": description.backbone.weights_sha256,
        },
        "training": description.options.model_dump(mode="json")
        | {"method": description.method, "reason": description.reason, "views": description.views},
        "skipped": {
            "counts": count_reasons(description.skipped),
            "photos": [asdict(photo) for photo in description.skipped],
        },
        "libraries": {name: installed(name) for name in LIBRARIES},
        "files": files,
    }


def rejection_as_json(rejection: Rejection) -> dict[str, object]:
    """Thresholds with what they cost, and how well the score separates; without the curve."""
    return {name: value for name, value in asdict(rejection).items() if name != "curve"}


def count_reasons(skipped: Sequence[SkippedPhoto]) -> dict[str, int]:
    """How many photos were left out for each reason."""
    return dict(sorted(Counter(str(photo.reason) for photo in skipped).items()))


def _files(folder: Path) -> dict[str, dict[str, object]]:
    """Bytes and sha256 of all files but the folder's own METADATA, which they are written into."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / METADATA]
    contents = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    return {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in contents.items()
    }


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
