"""Photos that nobody took: their features, contents, names and facts, as the extractor leaves them."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from worker.arrays import Labels
from worker.backbone.architecture import FEATURES
from worker.catalogue.dataset import Dataset
from worker.catalogue.photo_files import Photo, PhotoSet, Product
from worker.features.extraction import Extracted
from worker.features.scratch import Scratch
from worker.photos.facts import PhotoFacts

Features = npt.NDArray[np.float32]

FACTS = PhotoFacts(width=480, height=360, sharpness=300.0, brightness=0.5, perceptual_hash=0, taken_at=None)


def kept(features: Features) -> Scratch:
    """As the extractor leaves features: two views of each photo, of which the second is of something else."""
    scratch = Scratch(len(features), (2, features.shape[1]), np.float16)
    for row, of_photo in enumerate(features):
        scratch.write(row, np.stack([of_photo, of_photo[::-1]]).astype(np.float16))
    return scratch


def scenes(count: int, seed: int = 0, size: int = FEATURES) -> Features:
    """Features of photos that have nothing in common, of the length and sign that the backbone's have."""
    random = np.random.default_rng(seed)
    features = np.sqrt(random.exponential(size=(count, size)))
    features *= np.sqrt(3) / np.linalg.norm(features, axis=1, keepdims=True)
    unlike: Features = features.astype(np.float32)
    return unlike


def shots(scene: Features, count: int, seed: int = 0) -> Features:
    """Photos of one scene that differ by next to nothing."""
    noise = np.random.default_rng(seed).normal(scale=0.02, size=(count, scene.shape[-1]))
    shaken: Features = (scene * (1 + noise)).astype(np.float32)
    return shaken


def contents(count: int, seed: int = 0) -> tuple[str, ...]:
    """So many different sha256."""
    return tuple(hashlib.sha256(f"{seed} {number}".encode()).hexdigest() for number in range(count))


def looks(sha256: Sequence[str]) -> tuple[PhotoFacts, ...]:
    """Facts of photos that look unlike each other where their contents differ."""
    return tuple(replace(FACTS, perceptual_hash=int(digest[-16:], 16)) for digest in sha256)


def made_photos(
    features: Features,
    labels: Labels,
    *,
    sha256: Sequence[str] = (),
    names: Sequence[str] = (),
    facts: Sequence[PhotoFacts] = (),
) -> Extracted:
    """Photos with these features, of products numbered by `labels`; all else is unlike unless it is given."""
    sha256 = tuple(sha256) or contents(len(features))
    # No two names of letters are numbered one after the other.
    names = names or [digest.translate(str.maketrans("0123456789", "ghijklmnop")) for digest in sha256]
    products = [Product(f"{label:05}", f"SKU-{label:05}", f"Product {label}") for label in labels.tolist()]
    photos = tuple(
        Photo(Path("/nowhere") / name, f"products/{product.product_id}/{name}", product)
        for name, product in zip(names, products, strict=True)
    )
    dataset = Dataset(PhotoSet(Path("/nowhere"), photos, ()), sha256)
    return Extracted(dataset, kept(features), None, tuple(facts) or looks(sha256), computed=0)
