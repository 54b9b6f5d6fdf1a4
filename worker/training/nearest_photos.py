"""Whether a photo is more like the photos of another product than like those of its own."""

import numpy as np

from worker.arrays import Floats, Indices, Labels
from worker.features.scratch import Scratch

CHUNK = 512


def nearer_to(features: Scratch, labels: Labels, indices: Indices, products: Labels) -> Floats:
    """The similarity to the nearest photo of `products[i]`, less that to the nearest other photo of the own product,
    for each photo `indices[i]`; float32 `[len(indices)]`, from -2 to 2.

    Similarities are cosines of the first views' `features`, less the mean of all. A photo that is the only one of its
    product has the similarity -1 to the others.
    """
    mean = _mean(features)

    def views(photos: Indices) -> Floats:
        found: Floats = _first_views(features, photos) - mean
        found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return found

    def nearest(asked: Floats, photos: Indices) -> float:
        return float((views(photos) @ asked).max()) if len(photos) else -1.0

    differences = []
    for index, product in zip(indices, products, strict=True):
        [asked] = views(np.array([index]))
        own = np.flatnonzero(labels == labels[index])
        differences.append(
            nearest(asked, np.flatnonzero(labels == product)) - nearest(asked, own[own != index])
        )
    return np.array(differences, np.float32)


def _first_views(features: Scratch, photos: Indices) -> Floats:
    views: Floats = features.read_at(photos, np.zeros_like(photos)).astype(np.float32)
    return views


def _mean(features: Scratch) -> Floats:
    photos = np.arange(len(features))
    parts = np.array_split(photos, -(-len(photos) // CHUNK))
    mean: Floats = np.sum([_first_views(features, part).sum(axis=0) for part in parts], axis=0) / len(photos)
    return mean
