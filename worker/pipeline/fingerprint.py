"""The fingerprint of what a model is made of: it tells whether anything has changed since a model was trained."""

import hashlib
import json

from worker.backbone.backbone import FORMAT
from worker.catalogue.dataset import Dataset
from worker.photos.augmentation import DEFINITION as AUGMENTATION
from worker.photos.decode import PREPARATION

TRAINING = 2
"""Counts up when the same photos and options give another model than before."""


def fingerprint(dataset: Dataset, negatives: Dataset, weights_sha256: str) -> str:
    """SHA-256 of all that a model is made of, except the options: the contents and products of its photos, and the
    backbone. The order of rows and the names of files do not matter."""
    photos = [
        (photo.product.product_id, photo.product.sku, photo.product.name, digest)
        for part in (dataset, negatives)
        for photo, digest in zip(part.photos, part.sha256, strict=True)
    ]
    return _digest([sorted(photos), weights_sha256, *_recipe()])


def recipe() -> str:
    """SHA-256 of how models are made of photos, weights and options by this version of the worker."""
    return _digest(_recipe())


def _recipe() -> list[object]:
    return [FORMAT, PREPARATION, AUGMENTATION, TRAINING]


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
