"""Which photos measure and which train: photos that were taken together are never on both sides."""

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage

from worker.training.scratch import Scratch

Labels = npt.NDArray[np.int64]

FOLDS = 4
SAME_OCCASION = 0.36
"""Photos of a product count as taken on one occasion when they are closer than this share of the distance
that photos of different products usually have: means of cosine distances, on the first views' features."""

SAMPLED = 1000

CLUSTERED_AT_ONCE = 400

# Closer than this are photos only that look the same, whatever the distance of products is.
LEAST_DISTANCE = 1e-6


def group_photos(features: Scratch, labels: Labels, sha256: tuple[str, ...]) -> Labels:
    """Number the groups of photos, int64 `[photos]`, from what `features` has of each photo's first view.

    A group holds photos of one product from one occasion (average linkage), and all photos whose bytes are
    equal, of whichever product.
    """
    groups = np.zeros(len(labels), np.int64)
    limit = max(LEAST_DISTANCE, SAME_OCCASION * _usual_distance(features, labels))
    count = 0
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        for start in range(0, len(members), CLUSTERED_AT_ONCE):
            part = members[start : start + CLUSTERED_AT_ONCE]
            groups[part] = count + _occasions(_first_views(features, part), limit)
            count = groups.max() + 1
    return _join_equal(groups, sha256)


def _first_views(features: Scratch, rows: Labels) -> npt.NDArray[np.float32]:
    """Scaled to length 1, so that a product of two is their cosine similarity."""
    views: npt.NDArray[np.float32] = features.read_at(rows, np.zeros_like(rows)).astype(np.float32)
    views /= np.linalg.norm(views, axis=1, keepdims=True)
    return views


def _usual_distance(features: Scratch, labels: Labels) -> float:
    """The median cosine distance of photos of different products, of some photos spread over all."""
    rows = np.unique(np.linspace(0, len(labels) - 1, SAMPLED).astype(np.int64))
    views = _first_views(features, rows)
    distances = (1 - views @ views.T)[labels[rows][:, None] != labels[rows]]
    return float(np.median(distances)) if len(distances) else 0.0


def _occasions(views: npt.NDArray[np.float32], limit: float) -> Labels:
    if len(views) == 1:
        return np.zeros(1, np.int64)
    tree = linkage(views, "average", metric="cosine")
    numbers: Labels = fcluster(tree, limit, "distance").astype(np.int64) - 1
    return numbers


def _join_equal(groups: Labels, sha256: tuple[str, ...]) -> Labels:
    """One group for all groups that share a photo's bytes."""
    parent = {group: group for group in groups.tolist()}

    def root(group: int) -> int:
        while parent[group] != group:
            group = parent[group]
        return group

    first: dict[str, int] = {}
    for group, digest in zip(groups.tolist(), sha256, strict=True):
        parent[root(group)] = root(first.setdefault(digest, group))
    return np.array([root(group) for group in groups.tolist()], np.int64)


def assign_folds(labels: Labels, groups: Labels, seed: int) -> Labels:
    """The fold of each photo, 0 to FOLDS - 1; -1 where it always trains and never measures.

    So do the photos of a product that has a single group, of which nothing would be left, and those of a
    group that stands under two products.
    """
    random = np.random.default_rng(seed)
    pairs = np.unique(np.stack([groups, labels]), axis=1)
    names, standing = np.unique(pairs[0], return_counts=True)
    alone = np.isin(groups, names[standing == 1])
    folds = np.full(len(labels), -1, np.int64)
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        movable = mine[alone[mine]]
        _, place, sizes = np.unique(groups[movable], return_inverse=True, return_counts=True)
        if len(sizes) + (len(movable) < len(mine)) < 2:
            continue
        load = random.permutation(FOLDS) / 10  # so that ties fall anywhere
        fold_of = np.zeros(len(sizes), np.int64)
        for group in np.argsort(-sizes, kind="stable"):
            fold_of[group] = load.argmin()
            load[fold_of[group]] += sizes[group]
        folds[movable] = fold_of[place]
    return folds
