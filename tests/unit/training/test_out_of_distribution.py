"""The out-of-distribution score says whether a photo shows any of our products."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.made_features import kept, likes
from worker.arrays import Floats, Labels
from worker.evaluation.thresholds import auroc
from worker.training.feature_space import FeatureSpace
from worker.training.heads import LARGEST, HeadKind
from worker.training.out_of_distribution import MOST_WEIGHTS, PARTS, Distances, Score, score_parts
from worker.training.scored_head import ScoredHead, fit_scored_head

Doubles = npt.NDArray[np.float64]

FIRST, MARGIN, CLOSENESS, SIMILARITY = range(PARTS)
SHRINKAGE = 0.3


class Shop(NamedTuple):
    """Photos of known products and their labels, other photos of these, and photos of other things."""

    x: Floats
    labels: Labels
    ours: Floats
    others: Floats


def made(products: int, size: int, seed: int = 0) -> Shop:
    """Features as those of a backbone are: photos of products lie around a mean of their own."""
    random = np.random.default_rng(seed)
    common = 2 * random.normal(size=size)
    means = common + random.normal(size=(products, size))
    spread = random.uniform(0.2, 0.8, size)
    labels = np.arange(12 * products) % products
    known, fresh = (
        means[of] + spread * random.normal(size=(len(of), size)) for of in (labels, labels[: 4 * products])
    )
    elsewhere = 2 * random.normal(size=size) + random.normal(size=(100, size))
    return Shop(known.astype(np.float32), labels, fresh.astype(np.float32), elsewhere.astype(np.float32))


def fitted(shop: Shop, kind: HeadKind = HeadKind.SCALED_LDA) -> ScoredHead:
    space = FeatureSpace.of(kept(shop.x[:, None]))
    products = int(shop.labels.max()) + 1
    moments = space.moments(shop.labels, np.arange(len(shop.labels)), products)
    return fit_scored_head(space, moments, kind, SHRINKAGE)


def slow_closeness(shop: Shop, asked: Floats) -> Doubles:
    """Minus the squared Mahalanobis distance to the nearest class mean, within the affine span of all class means."""
    x = shop.x.astype(np.float16).astype(np.float64)
    means = np.stack([x[shop.labels == product].mean(axis=0) for product in range(shop.labels.max() + 1)])
    away = x - means[shop.labels]
    covariance = away.T @ away / len(x)
    target = np.eye(x.shape[1]) * np.trace(covariance) / x.shape[1]
    root = np.linalg.cholesky(np.linalg.inv((1 - SHRINKAGE) * covariance + SHRINKAGE * target))
    white_means, centre = means @ root, means.mean(axis=0) @ root
    orthonormal = np.linalg.svd(white_means - centre, full_matrices=False)[2][: len(means) - 1]
    photos = (asked.astype(np.float64) @ root - centre) @ orthonormal.T
    of_means = (white_means - centre) @ orthonormal.T
    nearest: Doubles = -((photos[:, None] - of_means) ** 2).sum(axis=2).min(axis=1)
    return nearest


@pytest.mark.parametrize("kind", HeadKind)
@pytest.mark.parametrize(("products", "size"), [(2, 8), (5, 20), (6, 100), (12, 9)])
def test_closeness_is_minus_the_squared_distance_to_the_nearest_class_mean(
    kind: HeadKind, products: int, size: int
) -> None:
    shop = made(products, size)
    asked = np.concatenate([shop.ours, shop.others])
    if size == 100:
        # Few examples span a part of the space, and what lies beside it is not seen.
        basis = np.linalg.qr(shop.x.T.astype(np.float64))[0]
        asked = (asked @ basis @ basis.T).astype(np.float32)
    head = fitted(shop, kind)
    found = head.parts(asked)[:, CLOSENESS] * head.score.distances.unit
    expected = slow_closeness(shop, asked)
    assert np.abs(found - expected).max() <= 5e-3 * np.abs(expected).max()


def test_the_other_parts_are_the_highest_logit_its_margin_and_the_similarity_to_the_mean_photo() -> None:
    shop = made(4, 10)
    head = fitted(shop).calibrated(0.7)
    logits, parts = head.head.logits(shop.ours), head.parts(shop.ours)
    assert parts.shape == (16, PARTS)
    assert parts.dtype == np.float32
    for row, of_photo in zip(parts, logits, strict=True):
        lowest_to_highest = sorted(of_photo.tolist())
        assert row[FIRST] == pytest.approx(lowest_to_highest[-1])
        assert row[MARGIN] == pytest.approx(lowest_to_highest[-1] - lowest_to_highest[-2], abs=1e-5)
    mean = shop.x.mean(axis=0)
    assert parts[:, SIMILARITY] == pytest.approx((shop.ours - mean) @ mean, rel=1e-3, abs=1e-3)


def test_a_score_is_a_sum_of_parts_in_standard_deviations() -> None:
    random = np.random.default_rng(0)
    known = random.normal(loc=(5, 1, -3, 80), scale=(1, 0.2, 2, 40), size=(500, PARTS)).astype(np.float32)
    score = Score.fitted(known)
    scaled = (known - known.mean(axis=0)) / known.std(axis=0)
    assert score.of(known) == pytest.approx(scaled.sum(axis=1), abs=1e-4)
    assert score.of(known).mean() == pytest.approx(0, abs=1e-4)
    assert score.of(known).dtype == np.float32
    better = known[:1] + known.std(axis=0) * np.array([1, 0, 0, 0], np.float32)
    assert score.of(better) - score.of(known[:1]) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, 1234.567])
@pytest.mark.parametrize("photos", [1, 7, 1000])
def test_a_part_that_is_always_the_same_says_nothing(constant: float, photos: int) -> None:
    known = np.random.default_rng(0).normal(size=(photos, PARTS)).astype(np.float32)
    known[:, SIMILARITY] = constant
    score = Score.fitted(known)
    assert score.weights[SIMILARITY] == 0
    assert np.isfinite(score.weights).all()
    assert (score.weights[:SIMILARITY] > 0).all() == (photos > 1)


def test_a_part_that_rounding_alone_makes_differ_says_nothing() -> None:
    known = np.random.default_rng(0).normal(size=(50, PARTS)).astype(np.float32)
    known[:, SIMILARITY] = np.float32(7.3) + np.spacing(np.float32(7.3)) * (np.arange(50) % 3)
    assert Score.fitted(known).weights[SIMILARITY] == 0


def test_without_photos_that_measure_all_parts_count_as_they_are() -> None:
    parts = np.arange(2 * PARTS, dtype=np.float32).reshape(2, PARTS)
    assert np.array_equal(Score.fitted(np.zeros((0, PARTS), np.float32)).of(parts), parts.sum(axis=1))


@pytest.mark.parametrize("kind", HeadKind)
@pytest.mark.parametrize(("products", "size"), [(2, 20), (10, 40), (20, 8)])
def test_photos_of_other_things_get_lower_scores_than_ours(kind: HeadKind, products: int, size: int) -> None:
    shop = made(products, size)
    head = fitted(shop, kind)
    head = head.with_score(Score.fitted(head.parts(shop.ours[::2])))
    assert auroc(head.scores(shop.ours[1::2]), head.scores(shop.others)) > 0.95


@pytest.mark.parametrize("rank", [1, 3, 10])
def test_with_many_products_distances_are_of_low_rank_and_ours_are_nearer_all_the_same(
    monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    shop = made(30, 40)
    monkeypatch.setattr("worker.training.out_of_distribution.MOST_WEIGHTS", 30 * rank + 29)
    head = fitted(shop)
    assert head.score.distances.basis.shape == (30, rank)
    head = head.with_score(Score.fitted(head.parts(shop.ours[::2])))
    ours, others = head.scores(shop.ours[1::2]), head.scores(shop.others)
    assert np.isfinite(ours).all()
    assert np.isfinite(others).all()
    assert auroc(ours, others) > 0.95


def test_more_products_than_there_may_be_weights_keep_a_single_direction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worker.training.out_of_distribution.MOST_WEIGHTS", 29)
    head = fitted(made(30, 40))
    assert head.score.distances.basis.shape == (30, 1)


def test_directions_in_which_class_means_do_not_differ_are_left_out() -> None:
    """Class means seen from their centre span one dimension less than there are products, and no more than features."""
    for products, size, rank in ((2, 8, 1), (5, 20, 4), (12, 9, 9)):
        basis = fitted(made(products, size)).score.distances.basis
        assert basis.shape == (products, rank)
        assert basis.size <= MOST_WEIGHTS


@pytest.mark.parametrize("kind", HeadKind)
@pytest.mark.parametrize("factor", [1e-3, 0.4, 30.0])
def test_calibration_multiplies_the_logits_in_the_score_and_changes_nothing_else(
    kind: HeadKind, factor: float
) -> None:
    """So a score that was fitted to calibrated parts orders photos as one that was fitted to the others."""
    shop = made(6, 15)
    before = fitted(shop, kind)
    after = before.calibrated(factor)
    one, other = before.parts(shop.ours), after.parts(shop.ours)
    for part, scale in ((FIRST, factor), (MARGIN, factor), (CLOSENESS, 1.0), (SIMILARITY, 1.0)):
        assert other[:, part] == pytest.approx(one[:, part] * scale, rel=2e-3, abs=2e-3 * scale)
    scores = [
        head.with_score(Score.fitted(head.parts(shop.ours))).scores(shop.others) for head in (before, after)
    ]
    assert scores[1] == pytest.approx(scores[0], rel=1e-2, abs=1e-2)


def test_a_head_is_never_calibrated_beyond_what_can_be_published() -> None:
    shop = made(6, 15)
    before = fitted(shop)
    after = before.calibrated(1e9)
    assert np.abs(after.head.kernel).max() <= LARGEST * 1.001
    assert np.abs(after.head.bias).max() <= LARGEST * 1.001
    assert after.parts(shop.ours)[:, CLOSENESS] == pytest.approx(
        before.parts(shop.ours)[:, CLOSENESS], rel=5e-3, abs=5e-3
    )


def test_two_products_are_enough_for_a_margin() -> None:
    logits = np.array([[3, 1], [1, 4], [2, 2]], np.float32)
    parts = score_parts(logits, np.zeros(3, np.float32), np.ones(3, np.float32))
    assert parts[:, FIRST].tolist() == [3, 4, 2]
    assert parts[:, MARGIN].tolist() == [2, 3, 0]


@pytest.mark.parametrize("kind", HeadKind)
@pytest.mark.parametrize(
    "likeness",
    [
        "one photo of each product",
        "one photo copied for each product",
        "photos that differ by next to nothing",
        "one photo copied for all",
    ],
)
def test_scores_are_finite_however_alike_all_photos_are(kind: HeadKind, likeness: str) -> None:
    x, labels = likes(likeness, 50)
    head = fitted(Shop(x, labels, x, x), kind).calibrated(1.0)
    head = head.with_score(Score.fitted(head.parts(x)))
    for asked in (x, -x, 3 * x, np.zeros_like(x)):
        assert np.isfinite(head.scores(asked)).all()


def test_class_means_that_are_all_the_same_have_distances_all_the_same() -> None:
    distances = Distances.of(np.zeros((3, 3), np.float32))
    assert np.isfinite(distances.basis).all()
    closeness = distances.closeness(np.ones((2, 3), np.float32), distances.half_lengths)
    assert np.isfinite(closeness).all()
