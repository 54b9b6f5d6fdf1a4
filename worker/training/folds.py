"""Which photos measure and which train: photos that were taken together are never on both sides."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]

FOLDS = 4
HELD_OUT = 0
"""The fold of the photos on which fine-tuning is tried and models are compared."""


def assign_folds(labels: Labels, groups: Labels, sha256: Sequence[str]) -> Labels:
    """The fold of each photo, 0 to FOLDS - 1; -1 where it always trains and never measures.

    So do the photos of a product that has a single group, of which nothing would be left, and those of a
    group that stands under two products. The photos' contents decide, so that most of what is held out today is
    so tomorrow, whatever photos came in between.
    """
    first = _first_contents(groups, sha256)
    pairs = np.unique(np.stack([groups, labels]), axis=1)
    names, standing = np.unique(pairs[0], return_counts=True)
    alone = np.isin(groups, names[standing == 1])
    measured = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        mine = labels == label
        movable = mine & alone
        if len(np.unique(groups[movable])) + (movable.sum() < mine.sum()) >= 2:
            measured |= movable
    folds = np.full(len(labels), -1, np.int64)
    for label in np.unique(labels[measured]):
        mine = np.flatnonzero(measured & (labels == label))
        found, place, sizes = np.unique(groups[mine], return_inverse=True, return_counts=True)
        folds[mine] = _deal([first[group] for group in found.tolist()], sizes)[place]
    return folds


def _first_contents(groups: Labels, sha256: Sequence[str]) -> dict[int, str]:
    """What names a group: the first, in their order, of its photos' contents."""
    first: dict[int, str] = {}
    for group, digest in zip(groups.tolist(), sha256, strict=True):
        first[group] = min(digest, first.get(group, digest))
    return first


def _deal(names: Sequence[str], sizes: npt.NDArray[np.int64]) -> Labels:
    """Folds of a product's groups: HELD_OUT the first by name that are a FOLDS-th of its photos, but none that is
    more than half; the others as even as they go."""
    folds = np.full(len(names), -1, np.int64)
    load = np.zeros(FOLDS)
    for group in sorted(range(len(names)), key=names.__getitem__):
        wanted = load[HELD_OUT] < sizes.sum() / FOLDS and load[HELD_OUT] + sizes[group] <= sizes.sum() / 2
        if wanted and (folds < 0).sum() > 1:
            folds[group] = HELD_OUT
            load[HELD_OUT] += sizes[group]
    load[HELD_OUT] = np.inf
    for group in sorted(np.flatnonzero(folds < 0).tolist(), key=lambda group: (-sizes[group], names[group])):
        folds[group] = load.argmin()
        load[folds[group]] += sizes[group]
    return folds
