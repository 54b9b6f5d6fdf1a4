"""Makes synthetic photos: features, contents, names and facts, in the form of the extractor's output."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.support.backbones import MOBILENET
from worker.arrays import Labels
from worker.catalogue.dataset import Dataset
from worker.catalogue.photo_files import Photo, PhotoSet, Product
from worker.features.extraction import Extracted
from worker.features.scratch import Scratch
from worker.photos.facts import PhotoFacts

Features = npt.NDArray[np.float32]

FACTS = PhotoFacts(width=480, height=360, sharpness=300.0, brightness=0.5, perceptual_hash=0, taken_at=None)


def kept(features: Features) -> Scratch:
    """Features in the extractor's form: two views of each photo; the second one is unlike the first."""
    scratch = Scratch(len(features), (2, features.shape[1]), np.float16)
    for row, of_photo in enumerate(features):
        scratch.write(row, np.stack([of_photo, of_photo[::-1]]).astype(np.float16))
    return scratch


def scenes(count: int, seed: int = 0, size: int = MOBILENET.features) -> Features:
    """Features of unrelated photos, with the norm and the sign of the backbone's."""
    random = np.random.default_rng(seed)
    features = np.sqrt(random.exponential(size=(count, size)))
    features *= np.sqrt(3) / np.linalg.norm(features, axis=1, keepdims=True)
    unlike: Features = features.astype(np.float32)
    return unlike


def shots(scene: Features, count: int, seed: int = 0) -> Features:
    """Features of nearly identical photos of one scene."""
    noise = np.random.default_rng(seed).normal(scale=0.02, size=(count, scene.shape[-1]))
    shaken: Features = (scene * (1 + noise)).astype(np.float32)
    return shaken


def contents(count: int, seed: int = 0) -> tuple[str, ...]:
    """`count` different SHA-256 digests."""
    return tuple(hashlib.sha256(f"{seed} {number}".encode()).hexdigest() for number in range(count))


def looks(sha256: Sequence[str]) -> tuple[PhotoFacts, ...]:
    """Facts of photos whose perceptual hashes differ where their contents differ."""
    return tuple(replace(FACTS, perceptual_hash=int(digest[-16:], 16)) for digest in sha256)


def made_photos(
    features: Features,
    labels: Labels,
    *,
    sha256: Sequence[str] = (),
    names: Sequence[str] = (),
    facts: Sequence[PhotoFacts] = (),
) -> Extracted:
    """Photos with these features, of the products in `labels`; contents, names and facts differ unless given."""
    sha256 = tuple(sha256) or contents(len(features))
    # Names without digits, so that no two are numbered in sequence.
    names = names or [digest.translate(str.maketrans("0123456789", "ghijklmnop")) for digest in sha256]
    products = [Product(f"{label:05}", f"SKU-{label:05}", f"Product {label}") for label in labels.tolist()]
    photos = tuple(
        Photo(Path("/nowhere") / name, f"products/{product.product_id}/{name}", product)
        for name, product in zip(names, products, strict=True)
    )
    dataset = Dataset(PhotoSet(Path("/nowhere"), photos, ()), sha256)
    return Extracted(dataset, kept(features), None, tuple(facts) or looks(sha256), computed=0)
