"""Answers to each group of photos by a head that the group did not train, at little more than the price of one head.

Without a group, the covariance is smaller by a matrix of low rank, so that its inverse follows from the one of all
photos (Sherman, Morrison and Woodbury; as in leave-one-out discriminant analysis: Lachenbruch and Mickey,
Technometrics 1968). Two numbers stay those of all photos: the ridge, and the count that the covariance is divided by.
"""

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from worker.arrays import Floats, Indices, Labels
from worker.cores import map_on_cores
from worker.training.feature_space import FeatureSpace
from worker.training.heads import Whitening

AT_ONCE: Final = 128
"""Photos that are whitened together."""

LEAST_LEFT: Final = 1e-6
"""Of the identity, in the small matrix that is inverted: a group may be all that spreads in some direction."""


@dataclass(frozen=True)
class GroupsOut:
    """Of the photos at `indices` `[n]`, each by a model without its group: `inner` `[n, products]`, the inner products
    with the class means, as in `Discriminant`, and `lengths`, the squared lengths of these means."""

    indices: Indices
    inner: Floats
    lengths: Floats


def leave_groups_out(
    space: FeatureSpace, whitening: Whitening, labels: Labels, groups: Labels, measured: Indices
) -> GroupsOut:
    """Ask about the whole photos at `measured`, which are in groups of one product that has other groups, too."""
    order = measured[np.argsort(groups[measured], kind="stable")]
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    chunks = _chunks(np.split(order, starts[1:]) if len(order) else [])
    parts = list(map_on_cores(partial(_of_groups, space, whitening, labels, groups), chunks))
    products = len(whitening.counts)
    empty = np.zeros((0, products), np.float32)
    return GroupsOut(
        order,
        np.concatenate([empty, *(inner for inner, _ in parts)]),
        np.concatenate([empty, *(lengths for _, lengths in parts)]),
    )


def _chunks(asked: list[Indices]) -> list[list[Indices]]:
    """Groups together until they have AT_ONCE photos."""
    chunks: list[list[Indices]] = []
    photos = AT_ONCE
    for group in asked:
        if photos >= AT_ONCE:
            chunks.append([])
            photos = 0
        chunks[-1].append(group)
        photos += len(group)
    return chunks


def _of_groups(
    space: FeatureSpace, whitening: Whitening, labels: Labels, groups: Labels, asked: list[Indices]
) -> tuple[Floats, Floats]:
    members = [np.flatnonzero(groups == groups[group[0]]) for group in asked]
    views = space.features.shape[1]
    white = whitening.apply(space.all_views(np.concatenate(members)))
    ends = np.cumsum([views * len(photos) for photos in members])
    parts = [
        _without(whitening, int(labels[group[0]]), examples, np.searchsorted(photos, group) * views)
        for group, photos, examples in zip(asked, members, np.split(white, ends[:-1]), strict=True)
    ]
    return np.concatenate([inner for inner, _ in parts]), np.concatenate([lengths for _, lengths in parts])


def _without(whitening: Whitening, product: int, examples: Floats, asked: Indices) -> tuple[Floats, Floats]:
    """Inner products and lengths for the rows `asked` of a group's whitened `examples` `[n, features]`."""
    means, counts = whitening.white_means, whitening.counts
    old, left = means[product], counts[product] - len(examples)
    moved = (old - examples.mean(axis=0)) * (len(examples) / left)
    own, centre = old + moved, means.mean(axis=0) + moved / len(means)
    # What the group adds to the covariance: its spread around the product's mean, and that mean's move.
    spread = np.concatenate([examples - old, np.sqrt(left) * moved[None]])
    spread *= np.sqrt((1 - whitening.shrinkage) / counts.sum())
    seen = examples[asked] - centre
    rows = np.concatenate([seen, spread, centre[None]])
    inner = rows @ means.T
    inner[:, product] = rows @ own
    inner -= (rows @ centre)[:, None]
    lengths = whitening.mean_lengths.copy()
    lengths[product] = own @ own
    lengths -= 2 * (inner[-1] + centre @ centre) - centre @ centre
    of_seen, of_spread = inner[: len(asked)], inner[len(asked) : -1]
    # In float64: what is left in a direction may be a thousandth.
    exact = spread.astype(np.float64)
    remaining = (1 + LEAST_LEFT) * np.eye(len(exact)) - exact @ exact.T
    solved = cho_solve(cho_factor(remaining, lower=True), of_spread).astype(np.float32)
    lengths += (of_spread * solved).sum(axis=0)
    return of_seen + (seen @ spread.T) @ solved, np.broadcast_to(lengths, of_seen.shape)
