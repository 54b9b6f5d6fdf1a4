"""Measures top-1 and top-3 of a published model on a folder of withheld photos.

    python -m bench.measure MODEL_FOLDER PHOTOS_FOLDER

PHOTOS_FOLDER holds one folder for each product, named by its SKU; products that the model does not know are left
out. TensorFlow runs the published files themselves.
"""

import json
import sys
from pathlib import Path

import numpy as np

from bench.decode_photo import decode_photo
from bench.published import load_published
from bench.shares import shares


def measure(model_folder: Path, photos: Path) -> dict[str, float]:
    """Return top-1 and top-3 accuracy, and the numbers of photos and products."""
    model = load_published(model_folder)
    known = [folder for folder in sorted(photos.iterdir()) if folder.name in model.labels]
    right = []
    for folder in known:
        for file in sorted(folder.iterdir()):
            guesses = np.argsort(-model.predict(decode_photo(file)[None])[0])
            right.append(guesses[:3] == model.labels.index(folder.name))
    return shares(np.array(right), len(known))


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), Path(sys.argv[2]))))
