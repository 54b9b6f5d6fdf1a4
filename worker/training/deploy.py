"""Stage 6: what a client needs beside the weights, and all of it safely on the disk."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version as installed
from pathlib import Path

from worker.backbone.compiled import Facts
from worker.backbone.layers import NAME
from worker.registry.folder import sync_tree
from worker.training.fetch_photos import Product, SkippedPhoto
from worker.training.job import Accuracy
from worker.training.options import Options
from worker.training.photo import RECIPE

LIBRARIES = (
    "ai-edge-litert",
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
    """What is to be said of a trained model."""

    version: str
    job_id: str
    started_at: datetime
    trained_at: datetime
    products: tuple[Product, ...]
    photos: int
    skipped: tuple[SkippedPhoto, ...]
    accuracy: Accuracy
    options: Options
    backbone: Facts
    method: str
    views: int


def deploy(description: Description, folder: Path) -> None:
    """Write `product_mapping.json` and `metadata.json` beside the model's files, and sync the folder."""
    mapping = {
        "products": [
            {"index": index, **asdict(product)} for index, product in enumerate(description.products)
        ]
    }
    _write(folder / "product_mapping.json", mapping)
    _write(folder / "metadata.json", metadata(description, _files(folder)))
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
        "counts": {"products": len(description.products), "photos": description.photos},
        "accuracy": asdict(description.accuracy),
        "input": RECIPE,
        "output": {
            "shape": [None, len(description.products)],
            "meaning": "probabilities in the order of labels",
        },
        "backbone": {
            "name": NAME,
            "weights": description.backbone.weights,
            "weights_sha256": description.backbone.weights_sha256,
        },
        "training": description.options.model_dump(mode="json")
        | {"method": description.method, "views": description.views},
        "skipped": {
            "counts": count_reasons(description.skipped),
            "photos": [asdict(photo) for photo in description.skipped],
        },
        "libraries": {name: installed(name) for name in LIBRARIES},
        "files": files,
    }


def count_reasons(skipped: Sequence[SkippedPhoto]) -> dict[str, int]:
    """How many photos were left out for each reason."""
    return dict(sorted(Counter(str(photo.reason) for photo in skipped).items()))


def _files(folder: Path) -> dict[str, dict[str, object]]:
    contents = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    return {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in contents.items()
    }


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
