"""Prints the metrics that a published model reports, and those measured on photos.

    python -m bench.honesty.model MODEL_FOLDER PHOTOS_FOLDER SCENES_FOLDER

PHOTOS_FOLDER holds one folder for each product, named by its SKU; products that the model does not know are `near`.
SCENES_FOLDER holds pictures without a product. TensorFlow runs the published files themselves.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bench.decode_photo import decode_photo
from bench.honesty.claims import reported
from bench.honesty.measures import Answers, measure
from bench.published import PublishedModel, load_published

BATCH = 16


def ask(model: PublishedModel, photos: Path, scenes: Path) -> Answers:
    """Run the model on every photo and scene. Raises as `decode_photo` and `PublishedModel.answer` do."""
    by_sku = {folder.name: sorted(folder.iterdir()) for folder in sorted(photos.iterdir())}
    ours = [(model.labels.index(sku), path) for sku in by_sku if sku in model.labels for path in by_sku[sku]]
    near = [path for sku, paths in by_sku.items() if sku not in model.labels for path in paths]
    probabilities, scores = _answers(model, [path for _, path in ours])
    return Answers(
        correct=probabilities.argmax(axis=1) == np.array([label for label, _ in ours], int),
        confidence=probabilities.max(axis=1),
        scores=scores,
        near=_answers(model, near)[1],
        far=_answers(model, sorted(scenes.iterdir()))[1],
    )


def _answers(model: PublishedModel, paths: Sequence[Path]) -> tuple[Any, Any]:
    """Probabilities float32 `[n, products]` and scores `[n]`."""
    answers = [(np.zeros((0, len(model.labels)), np.float32), np.zeros(0, np.float32))]
    for start in range(0, len(paths), BATCH):
        answers.append(model.answer(np.stack([decode_photo(path) for path in paths[start : start + BATCH]])))
    probabilities, scores = zip(*answers, strict=True)
    return np.concatenate(probabilities), np.concatenate(scores)


def main(folder: Path, photos: Path, scenes: Path) -> dict[str, Any]:
    """Return the metrics that the model in `folder` reports, and the measured ones."""
    model = load_published(folder)
    claims = reported(model.metadata)
    scores = {name: promise["score"] for name, promise in claims["passed"].items()}
    found = measure(ask(model, photos, scenes), scores)
    return {"reported": claims, "measured": asdict(found)}


if __name__ == "__main__":
    print(json.dumps(main(*map(Path, sys.argv[1:4]))))
