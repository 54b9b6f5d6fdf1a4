"""A baseline without training: predicts the product of the nearest photo by cosine similarity of the features.

    python -m bench.train.nearest_neighbour PHOTOS_FOLDER WITHHELD_FOLDER WEIGHTS

Both folders hold one folder for each product. Prints top-1 and top-3 on the known products of WITHHELD_FOLDER, and
the seconds until the features of PHOTOS_FOLDER are there.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from bench.decode_photo import decode_photo
from bench.shares import shares
from bench.train.script import seconds_since_start
from worker.photos.decode import SIDE

BATCH = 32
Features = npt.NDArray[np.float32]


def main(photos: Path, withheld: Path, weights: Path) -> dict[str, Any]:
    """Return the seconds, and top-1 and top-3 accuracy on the photos in `withheld`."""
    backbone = keras.applications.MobileNetV2(
        input_shape=(SIDE, SIDE, 3), include_top=False, pooling="avg", weights=str(weights)
    )
    products = sorted(folder.name for folder in photos.iterdir())
    known = [_features(backbone, sorted((photos / product).iterdir())) for product in products]
    seconds = seconds_since_start()
    right, measured = [], 0
    for index, product in enumerate(products):
        if not (withheld / product).is_dir():
            continue
        measured += 1
        asked = _features(backbone, sorted((withheld / product).iterdir()))
        # A product's similarity is that of its nearest photo.
        nearness = np.stack([(asked @ features.T).max(axis=1) for features in known], axis=1)
        right.append(np.argsort(-nearness, axis=1)[:, :3] == index)
    return {"seconds": seconds, "measured": shares(np.concatenate(right), measured)}


def _features(backbone: keras.Model, files: Sequence[Path]) -> Features:
    """Pooled features of the last layer, normalised to length 1, float32 `[files, 1280]`."""
    batches = []
    for start in range(0, len(files), BATCH):
        pixels = np.stack([decode_photo(file) for file in files[start : start + BATCH]]).astype(np.float32)
        batches.append(backbone.predict_on_batch(pixels / 127.5 - 1.0))
    features = np.concatenate(batches)
    unit: Features = features / np.linalg.norm(features, axis=1, keepdims=True)
    return unit


if __name__ == "__main__":
    print(json.dumps(main(*map(Path, sys.argv[1:4]))), flush=True)
