"""Groups: which photos were taken together, as copies, in a burst, or on one occasion."""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import squareform

from worker.arrays import Floats, Indices, Labels
from worker.features.extraction import Extracted
from worker.features.scratch import Scratch
from worker.photos.facts import PhotoFacts
from worker.photos.near_duplicates import near_copies

Pairs = list[tuple[int, int]]

SAME_OCCASION = 0.38
"""Photos of a product count as taken on one occasion when they are closer than this share of the distance
that photos of different products usually have: means of cosine distances, on the first views' features."""

IN_SEQUENCE = 1.25
"""The distance of photos of a product whose files are numbered one after the other is divided by this."""

SAME_PHOTO = 0.15
"""Photos with nearly the same perceptual hash are near duplicates when they are closer than this share."""

BURST_SECONDS = 10.0

SAMPLED = 1000
CLUSTERED_AT_ONCE = 1500

# Closer than this are photos only that look the same, whatever the distance of products is.
LEAST_DISTANCE = 1e-6

_NUMBERED = re.compile(r"(?P<before>.*?)(?P<number>\d{1,15})(?P<after>\D*)", re.DOTALL)


@dataclass(frozen=True)
class Groups:
    """`of` is the number of each photo's group, int64 `[photos]`; `copies` are pairs of indices of near duplicates."""

    of: Labels
    copies: Pairs


def group_photos(extracted: Extracted) -> Groups:
    """Group photos by their bytes, perceptual hashes, times, file names and first views.

    A group holds photos of one product from one occasion (average linkage), and all copies of a photo, of
    whichever product.
    """
    dataset, facts, features = extracted.dataset, extracted.facts, extracted.features
    labels, names = dataset.labels, [photo.name for photo in dataset.photos]
    typical = _typical_distance(features, labels)
    groups = np.zeros(len(labels), np.int64)
    count = 0
    for label in np.unique(labels):
        members = _in_order(np.flatnonzero(labels == label), names, facts)
        for start in range(0, len(members), CLUSTERED_AT_ONCE):
            part = members[start : start + CLUSTERED_AT_ONCE]
            views = _first_views(features, part)
            groups[part] = count + _occasions(
                views, [names[index] for index in part], max(LEAST_DISTANCE, SAME_OCCASION * typical)
            )
            count = groups.max() + 1
    copies = _copies(features, facts, dataset.sha256, max(LEAST_DISTANCE, SAME_PHOTO * typical))
    return Groups(_joined(groups, [*copies, *_bursts(labels, facts)]), copies)


def _in_order(members: Indices, names: Sequence[str], facts: Sequence[PhotoFacts]) -> Indices:
    """By time, then by name with its numbers as numbers, so that a cut at a limit falls between occasions."""
    keys = {
        index: (facts[index].taken_at or 0.0, [part.zfill(15) for part in re.split(r"(\d+)", names[index])])
        for index in members.tolist()
    }
    return np.array(sorted(members.tolist(), key=keys.__getitem__), np.int64)


def _first_views(features: Scratch, indices: Indices) -> Floats:
    """Scaled to length 1, so that a product of two is their cosine similarity."""
    views: Floats = features.read_at(indices, np.zeros_like(indices)).astype(np.float32)
    views /= np.linalg.norm(views, axis=1, keepdims=True)
    return views


def _typical_distance(features: Scratch, labels: Labels) -> float:
    """The median cosine distance of photos of different products, of some photos spread over all."""
    rows = np.unique(np.linspace(0, len(labels) - 1, SAMPLED).astype(np.int64))
    views = _first_views(features, rows)
    distances = (1 - views @ views.T)[labels[rows][:, None] != labels[rows]]
    return float(np.median(distances)) if len(distances) else 0.0


def _occasions(views: Floats, names: Sequence[str], limit: float) -> Labels:
    if len(views) == 1:
        return np.zeros(1, np.int64)
    distances = np.maximum(1 - views @ views.T, 0)
    distances = (distances + distances.T) / 2
    for one, other in _in_sequence(names):
        distances[one, other] = distances[other, one] = distances[one, other] / IN_SEQUENCE
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), "average")
    numbers: Labels = fcluster(tree, limit, "distance").astype(np.int64) - 1
    return numbers


def _in_sequence(names: Sequence[str]) -> Pairs:
    """Pairs of indices of names whose last numbers differ by 1."""
    index_of: dict[tuple[str, int, str], int] = {}
    for index, name in enumerate(names):
        if match := _NUMBERED.fullmatch(name):
            index_of[match["before"], int(match["number"]), match["after"]] = index
    following = ((key, (key[0], key[1] + 1, key[2])) for key in index_of)
    return [(index_of[key], index_of[after]) for key, after in following if after in index_of]


def _bursts(labels: Labels, facts: Sequence[PhotoFacts]) -> Pairs:
    """Pairs of photos of one product that follow each other within BURST_SECONDS."""
    dated = sorted(
        (int(label), fact.taken_at, index)
        for index, (label, fact) in enumerate(zip(labels, facts, strict=True))
        if fact.taken_at is not None
    )
    return [
        (one[2], other[2])
        for one, other in itertools.pairwise(dated)
        if one[0] == other[0] and other[1] - one[1] <= BURST_SECONDS
    ]


def _copies(features: Scratch, facts: Sequence[PhotoFacts], sha256: Sequence[str], limit: float) -> Pairs:
    """Pairs of photos with the same bytes, or with hashes and first views that are nearly the same."""
    first: dict[str, int] = {}
    equal = [
        (first[digest], index)
        for index, digest in enumerate(sha256)
        if first.setdefault(digest, index) != index
    ]
    hashes = np.array([fact.perceptual_hash for fact in facts], np.uint64)
    near = [
        pair
        for pair in near_copies(hashes)
        if sha256[pair[0]] != sha256[pair[1]] and _distance(features, *pair) < limit
    ]
    return equal + near


def _distance(features: Scratch, one: int, other: int) -> float:
    views = _first_views(features, np.array([one, other]))
    return float(1 - views[0] @ views[1])


def _joined(groups: Labels, pairs: Iterable[tuple[int, int]]) -> Labels:
    """One group for all groups that the pairs of photos connect."""
    ends = groups[np.array(list(pairs), np.int64).reshape(-1, 2)]
    count = int(groups.max()) + 1
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count))
    _, joined = connected_components(graph, directed=False)
    found: Labels = joined.astype(np.int64)[groups]
    return found
