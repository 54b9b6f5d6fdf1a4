"""What tells whether anything has changed since a model was trained."""

import hashlib
import json

from worker.backbone.cache import FORMAT
from worker.catalogue.dataset import Dataset
from worker.photos.augmentation import RECIPE as VIEWS
from worker.photos.decode import RECIPE

TRAINING = 1
"""Goes up when the same photos and options give another model than before."""


def fingerprint(dataset: Dataset, negatives: Dataset, weights_sha256: str) -> str:
    """The sha256 of all that a model is made of, but for the options: the photos by their contents with what they
    show, and the backbone. The order of rows and the names of files do not matter."""
    photos = [
        (photo.product.product_id, photo.product.sku, photo.product.name, digest)
        for part in (dataset, negatives)
        for photo, digest in zip(part.photos, part.sha256, strict=True)
    ]
    made_of = [sorted(photos), weights_sha256, FORMAT, RECIPE, VIEWS, TRAINING]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()
