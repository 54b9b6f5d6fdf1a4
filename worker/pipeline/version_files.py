"""Writes what a version has beside the model's graph and weights, and forces all of it to the disk."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from worker.pipeline.compare import TAIL_TRAINED_ON, TRAINED_ON
from worker.registry.folder import METADATA, sync_tree
from worker.report.description import ModelDescription
from worker.report.metadata import metadata
from worker.report.page import render
from worker.training.warm_start import DIGITS

MAPPING = "product_mapping.json"
REPORT = "report.html"


def write_held_out(
    labels: Sequence[str], trained_on: Iterable[str], tail_trained_on: Iterable[str], folder: Path
) -> None:
    """Write the `metadata.json` of the held-out model into its `folder`: its labels, and the sha256 of the photos that
    trained it, and of those among them that trained its tail."""
    content = {
        "labels": list(labels),
        TRAINED_ON: sorted({digest[:DIGITS] for digest in trained_on}),
        TAIL_TRAINED_ON: sorted({digest[:DIGITS] for digest in tail_trained_on}),
        "files": _files(folder),
    }
    _write(folder / METADATA, content)


def write_version(model: ModelDescription, folder: Path) -> None:
    """Write report, `product_mapping.json` and `metadata.json` beside the model's files, and sync the folder.

    Raises OSError when the disk fails.
    """
    (folder / REPORT).write_text(render(model), encoding="utf-8")
    mapping = {
        "products": [{"index": index, **asdict(product)} for index, product in enumerate(model.products)]
    }
    _write(folder / MAPPING, mapping)
    _write(folder / METADATA, metadata(model, _files(folder)))
    sync_tree(folder)


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
