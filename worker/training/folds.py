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
    held_out = _hold_out(labels, groups, measured, first)
    folds[held_out] = HELD_OUT
    for label in np.unique(labels[measured]):
        rest = np.flatnonzero(measured & ~held_out & (labels == label))
        found, place, sizes = np.unique(groups[rest], return_inverse=True, return_counts=True)
        folds[rest] = _deal([first[group] for group in found.tolist()], sizes)[place]
    return folds


def _first_contents(groups: Labels, sha256: Sequence[str]) -> dict[int, str]:
    """What names a group: the first, in their order, of its photos' contents."""
    first: dict[int, str] = {}
    for group, digest in zip(groups.tolist(), sha256, strict=True):
        first[group] = min(digest, first.get(group, digest))
    return first


def _hold_out(
    labels: Labels, groups: Labels, measured: npt.NDArray[np.bool_], first: dict[int, str]
) -> npt.NDArray[np.bool_]:
    """A FOLDS-th of the photos to be measured, bool `[photos]`: groups in the order of their names, of no product
    more than half of its photos, if it has smaller groups, and never its last one."""
    found, rows, sizes = np.unique(groups[measured], return_index=True, return_counts=True)
    label_of = labels[measured][rows]
    size = dict(zip(found.tolist(), sizes.tolist(), strict=True))
    photos = np.bincount(labels[measured])
    left = np.bincount(label_of, minlength=len(photos))
    taken = np.zeros_like(photos)
    chosen: list[int] = []
    by_name = sorted(zip(found.tolist(), label_of.tolist(), strict=True), key=lambda pair: first[pair[0]])
    for group, label in by_name:
        if taken.sum() >= measured.sum() / FOLDS:
            break
        if left[label] > 1 and taken[label] + size[group] <= photos[label] / 2:
            chosen.append(group)
            taken[label] += size[group]
            left[label] -= 1
    held_out: npt.NDArray[np.bool_] = measured & np.isin(groups, chosen)
    return held_out


def _deal(names: Sequence[str], sizes: npt.NDArray[np.int64]) -> Labels:
    """Folds of a product's groups other than HELD_OUT, as even as they go."""
    folds = np.zeros(len(names), np.int64)
    load = np.zeros(FOLDS)
    load[HELD_OUT] = np.inf
    for group in sorted(range(len(names)), key=lambda group: (-sizes[group], names[group])):
        folds[group] = load.argmin()
        load[folds[group]] += sizes[group]
    return folds
