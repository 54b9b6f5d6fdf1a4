"""Leaving a group out gives what a model gives that is really fitted without it."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.made_features import kept
from worker.arrays import Floats, Indices, Labels
from worker.features.scratch import Scratch
from worker.training.choose_head import SHRINKAGES
from worker.training.feature_space import FeatureSpace
from worker.training.leave_group_out import GroupsOut, leave_groups_out

Doubles = npt.NDArray[np.float64]


class Photos(NamedTuple):
    """Features `[photos, views, n]`, and the product and the group of each photo."""

    features: Scratch
    labels: Labels
    groups: Labels


def made(sizes: list[list[int]], views: int, features: int, seed: int = 0) -> Photos:
    """`sizes[i]` are those of the groups of product `i`; photos of all groups come in random order.

    All lie on one side of the origin, as what a backbone gives does.
    """
    random = np.random.default_rng(seed)
    of_groups = [size for product in sizes for size in product]
    groups = random.permutation(np.repeat(np.arange(len(of_groups)), of_groups))
    product_of = np.repeat(np.arange(len(sizes)), [len(product) for product in sizes])
    labels = product_of[groups]
    means = random.normal(size=(len(sizes), features))[labels]
    occasions = 0.5 * random.normal(size=(len(of_groups), features))[groups]
    spread = random.uniform(0.2, 1.5, features)
    noise = spread * random.normal(size=(len(labels), views, features))
    return Photos(kept(2 + (means + occasions)[:, None] + noise), labels, groups)


def left_out(photos: Photos, shrinkage: float, measured: Indices) -> GroupsOut:
    space = FeatureSpace.of(photos.features)
    moments = space.moments(photos.labels, np.arange(len(photos.labels)), int(photos.labels.max()) + 1)
    whitening = space.whitening(moments, shrinkage)
    return leave_groups_out(space, whitening, photos.labels, photos.groups, measured)


def scatter(x: Doubles, labels: Labels) -> tuple[Doubles, Doubles]:
    """The class means of examples `[n, features]`, and the sum of their outer products around these."""
    means = np.stack([x[labels == product].mean(axis=0) for product in range(labels.max() + 1)])
    away = x - means[labels]
    return means, away.T @ away


def fitted_without(photos: Photos, shrinkage: float, photo: int) -> tuple[Doubles, Doubles]:
    """The inner products and the lengths for a photo, by a model that is fitted without its group.

    Two numbers are those of all photos: the ridge, and the count by which the sum of outer products is divided.
    """
    features = photos.features.read(np.arange(len(photos.labels))).astype(np.float64)
    views, size = features.shape[1:]
    x, of_examples = features.reshape(-1, size), np.repeat(photos.labels, views)
    ridge = shrinkage * np.trace(scatter(x, of_examples)[1]) / len(x) / size
    others = np.repeat(photos.groups != photos.groups[photo], views)
    means, outer = scatter(x[others], of_examples[others])
    inverse = np.linalg.inv((1 - shrinkage) * outer / len(x) + ridge * np.eye(size))
    centre = means.mean(axis=0)
    directions = (means - centre) @ inverse
    return directions @ (features[photo, 0] - centre), ((means - centre) * directions).sum(axis=1)


def assert_as_fitted(photos: Photos, shrinkage: float, found: GroupsOut) -> None:
    for place, photo in enumerate(found.indices.tolist()):
        for given, expected in zip(
            (found.inner[place], found.lengths[place]), fitted_without(photos, shrinkage, photo), strict=True
        ):
            assert np.abs(given - expected).max() <= 2e-3 * np.abs(expected).max(), photo


def is_solved_in_its_span(photos: Photos) -> bool:
    return FeatureSpace.of(photos.features).factor is not None


@pytest.mark.parametrize("shrinkage", SHRINKAGES)
@pytest.mark.parametrize("views", [1, 2, 3])
@pytest.mark.parametrize("features", [8, 150])
def test_answers_are_those_of_a_model_that_is_fitted_without_the_group(
    shrinkage: float, views: int, features: int
) -> None:
    photos = made([[1, 2, 3], [1, 1], [4, 1, 1], [5, 6]], views, features)
    assert is_solved_in_its_span(photos) == (features == 150)
    found = left_out(photos, shrinkage, np.arange(len(photos.labels)))
    assert np.array_equal(np.sort(found.indices), np.arange(25))
    assert found.inner.dtype == found.lengths.dtype == np.float32
    assert_as_fitted(photos, shrinkage, found)


@pytest.mark.parametrize("shrinkage", SHRINKAGES)
@pytest.mark.parametrize("features", [6, 120])
def test_a_group_may_be_most_of_its_product_and_of_all_photos(shrinkage: float, features: int) -> None:
    photos = made([[30, 1], [2, 2], [1, 1]], 2, features)
    assert is_solved_in_its_span(photos) == (features == 120)
    assert_as_fitted(photos, shrinkage, left_out(photos, shrinkage, np.arange(37)))


def test_a_group_may_be_all_that_varies_in_a_direction() -> None:
    """Without it, the covariance has nothing there but the ridge."""
    photos = made([[2, 2], [3, 3], [1, 4]], 1, 6)
    features = photos.features.read(np.arange(15))
    features[..., 5] = np.where(photos.groups == 2, np.arange(15), 1)[:, None]
    lonely = photos._replace(features=kept(features))
    for shrinkage in SHRINKAGES:
        found = left_out(lonely, shrinkage, np.arange(15))
        assert np.isfinite(found.inner).all()
        assert_as_fitted(lonely, shrinkage, found)


def test_only_photos_asked_for_are_answered_though_whole_groups_are_left_out() -> None:
    photos = made([[3, 4], [5, 2], [1, 1]], 2, 10)
    everything = left_out(photos, 0.3, np.arange(16))
    measured = np.sort(np.random.default_rng(0).choice(16, 6, replace=False))
    some = left_out(photos, 0.3, measured)
    assert np.array_equal(np.sort(some.indices), measured)
    assert_as_fitted(photos, 0.3, some)
    place_of = {photo: place for place, photo in enumerate(everything.indices.tolist())}
    same = [place_of[photo] for photo in some.indices.tolist()]
    assert some.inner == pytest.approx(everything.inner[same], rel=1e-3, abs=1e-3)


def test_where_nobody_asks_there_is_no_answer() -> None:
    photos = made([[1, 1], [2, 1], [1, 1]], 1, 4)
    found = left_out(photos, 0.3, np.zeros(0, np.int64))
    assert found.inner.shape == found.lengths.shape == (0, 3)
    assert len(found.indices) == 0


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_it_is_of_no_account_how_many_photos_are_whitened_together(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    photos = made([[3, 4], [5, 2], [1, 1]], 2, 10)
    monkeypatch.setattr("worker.training.leave_group_out.AT_ONCE", at_once)
    found = left_out(photos, 0.3, np.arange(16))
    assert len(found.indices) == 16
    assert_as_fitted(photos, 0.3, found)


@pytest.mark.parametrize("features", [12, 200])
def test_the_number_of_cores_changes_no_bit(monkeypatch: pytest.MonkeyPatch, features: int) -> None:
    photos = made([[3, 1, 4], [1, 5, 9], [2, 6, 5], [3, 5, 8]], 3, features)
    monkeypatch.setattr("worker.training.leave_group_out.AT_ONCE", 4)
    answers: list[tuple[Floats, Floats]] = []
    for cores in (1, 2, 7):
        monkeypatch.setattr("worker.cores.usable_cores", lambda cores=cores: cores)
        found = left_out(photos, 0.1, np.arange(len(photos.labels)))
        answers.append((found.inner, found.lengths))
    for inner, lengths in answers[1:]:
        assert np.array_equal(inner, answers[0][0])
        assert np.array_equal(lengths, answers[0][1])
