"""Which photos are held out to measure the model: none of them, nor a copy of one, trains it."""

import hashlib

import numpy as np
import numpy.typing as npt

from worker.training.prepare_dataset import Pixels

HELD_OUT = 0.2


def hold_out(
    labels: npt.NDArray[np.int64], copies: npt.NDArray[np.int64], seed: int
) -> npt.NDArray[np.bool_]:
    """Choose about a fifth of each product's photos, at least one; `bool [photos]`, true where held out.

    `copies[i]` is equal for photos that are copies of one another: they go to one side together. The
    photos chosen lie next to each other in the catalogue's order, because photos of one burst do too and
    are nearly copies. A product whose photos are all copies of one is not held out, and so not measured.
    """
    chosen = np.zeros(len(labels), np.bool_)
    random = np.random.default_rng(seed)
    for label in np.unique(labels):
        groups = copies[labels == label]
        distinct = groups[np.sort(np.unique(groups, return_index=True)[1])]
        if len(distinct) < 2:
            continue
        count = max(1, round(HELD_OUT * len(distinct)))
        start = random.integers(len(distinct) - count + 1)
        chosen |= (labels == label) & np.isin(copies, distinct[start : start + count])
    # A photo that stands under two products trains for one of them wherever it is: never measure with it.
    return chosen & ~np.isin(copies, copies[~chosen])


def group_copies(pixels: Pixels) -> npt.NDArray[np.int64]:
    """Number photos `uint8 [photos, height, width, 3]` so that equal pictures have equal numbers."""
    numbers: dict[bytes, int] = {}
    return np.array(
        [numbers.setdefault(hashlib.sha256(photo.tobytes()).digest(), len(numbers)) for photo in pixels],
        np.int64,
    )
