"""Folds: which photos measure and which train. Photos that were taken together are never on both sides."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from worker.arrays import Labels

FOLDS = 4
HELD_OUT_FOLD = 0
"""The fold of the photos on which fine-tuning is tried and models are compared."""


def assign_folds(labels: Labels, groups: Labels, sha256: Sequence[str]) -> Labels:
    """The fold of each photo, 0 to FOLDS - 1; -1 where it always trains and never measures.

    -1 is for a product with a single group, of which nothing would be left to train on, and for a group with photos
    of two products. The photos' contents decide, so that most of what is held out today is held out tomorrow,
    whatever photos came in between.
    """
    first = _first_contents(groups, sha256)
    pairs = np.unique(np.stack([groups, labels]), axis=1)
    numbers, products = np.unique(pairs[0], return_counts=True)
    of_one_product = np.isin(groups, numbers[products == 1])
    measured = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        mine = labels == label
        movable = mine & of_one_product
        if len(np.unique(groups[movable])) + (movable.sum() < mine.sum()) >= 2:
            measured |= movable
    folds = np.full(len(labels), -1, np.int64)
    for label in np.unique(labels[measured]):
        mine = np.flatnonzero(measured & (labels == label))
        numbers, group, sizes = np.unique(groups[mine], return_inverse=True, return_counts=True)
        folds[mine] = _deal([first[number] for number in numbers.tolist()], sizes)[group]
    return folds


def _first_contents(groups: Labels, sha256: Sequence[str]) -> dict[int, str]:
    """The name of each group: the least of its photos' sha256."""
    first: dict[int, str] = {}
    for group, digest in zip(groups.tolist(), sha256, strict=True):
        first[group] = min(digest, first.get(group, digest))
    return first


def _deal(names: Sequence[str], sizes: npt.NDArray[np.int64]) -> Labels:
    """Folds of a product's groups. HELD_OUT_FOLD gets groups in the order of their names, until it has a FOLDS-th of
    the product's photos, but never more than half of them; the other folds are filled as evenly as possible."""
    folds = np.full(len(names), -1, np.int64)
    load = np.zeros(FOLDS)
    for group in sorted(range(len(names)), key=names.__getitem__):
        wanted = (
            load[HELD_OUT_FOLD] < sizes.sum() / FOLDS
            and load[HELD_OUT_FOLD] + sizes[group] <= sizes.sum() / 2
        )
        if wanted and (folds < 0).sum() > 1:
            folds[group] = HELD_OUT_FOLD
            load[HELD_OUT_FOLD] += sizes[group]
    load[HELD_OUT_FOLD] = np.inf
    for group in sorted(np.flatnonzero(folds < 0).tolist(), key=lambda group: (-sizes[group], names[group])):
        folds[group] = load.argmin()
        load[folds[group]] += sizes[group]
    return folds
