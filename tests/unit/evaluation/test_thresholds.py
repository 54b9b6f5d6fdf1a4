"""From which score on an answer is trusted, and what that costs."""

import numpy as np
import pytest

from worker.arrays import Floats
from worker.evaluation.thresholds import (
    ACCEPT_FALSE_POSITIVE_RATE,
    ACCEPT_TRUE_POSITIVE_RATE,
    STEPS,
    SUGGEST_TRUE_POSITIVE_RATE,
    Rejection,
    Separation,
    Threshold,
    auroc,
    choose_thresholds,
)

NONE = np.zeros(0, np.float32)


def scores(*values: float) -> Floats:
    return np.array(values, np.float32)


def drawn(count: int, mean: float, seed: int) -> Floats:
    return np.random.default_rng(seed).normal(mean, 1.0, count).astype(np.float32)


def learnt(ours: Floats, near: Floats = NONE, far: Floats = NONE) -> Rejection:
    """As if every first guess were right."""
    rejection = choose_thresholds(ours, np.ones(len(ours), bool), near, far)
    assert rejection
    return rejection


def slow_auroc(ours: Floats, others: Floats) -> float:
    """By its definition: pairs in which ours is ahead; half of those in which neither is."""
    won = sum((one > other) + 0.5 * (one == other) for one in ours for other in others)
    return float(won) / (len(ours) * len(others))


def test_a_threshold_says_what_it_costs() -> None:
    ours = np.arange(STEPS + 1, dtype=np.float32)
    right = (ours >= 20) | (ours % 2 == 0)
    near, far = scores(-1, -1, -1, 30.5), scores(-1, 40.5)
    rejection = choose_thresholds(ours, right, near, far)
    assert rejection
    costs = {
        point.score: (point.true_positive_rate, point.accuracy, point.false_positive_rate)
        for point in rejection.curve
    }
    # A quarter of near and half of far get through, and both kinds count the same.
    assert costs[10.0] == (round(41 / 51, 4), round(36 / 41, 4), 0.375)
    assert costs[30.0] == (round(21 / 51, 4), 1.0, 0.375)
    assert costs[31.0] == (round(20 / 51, 4), 1.0, 0.25)
    assert costs[41.0] == (round(10 / 51, 4), 1.0, 0.0)
    assert rejection.accept == Threshold(41.0, *costs[41.0])
    assert rejection.suggest == Threshold(2.5, round(48 / 51, 4), round(39 / 48, 4), 0.375)
    assert rejection.near == Separation(round(slow_auroc(ours, near), 4), 4)
    assert rejection.far == Separation(round(slow_auroc(ours, far), 4), 2)


@pytest.mark.parametrize("apart", [-1.0, 0.0, 1.0, 3.0, 8.0])
def test_suggest_lets_ours_through_and_accept_keeps_others_out(apart: float) -> None:
    ours, near, far = drawn(1000, apart, 0), drawn(300, 0, 1), drawn(80, -1, 2)
    rejection = learnt(ours, near, far)
    assert (ours >= rejection.suggest.score).mean() == pytest.approx(SUGGEST_TRUE_POSITIVE_RATE, abs=2e-3)
    passed = [(other >= rejection.accept.score).mean() for other in (near, far)]
    if apart >= 0:
        assert np.mean(passed) <= ACCEPT_FALSE_POSITIVE_RATE + 2e-3
    assert rejection.accept.score >= rejection.suggest.score
    assert rejection.accept.false_positive_rate == pytest.approx(np.mean(passed), abs=2e-3)
    assert rejection.accept.true_positive_rate <= rejection.suggest.true_positive_rate
    ordered = [point.score for point in rejection.curve]
    assert ordered == sorted(ordered)
    for name in ("true_positive_rate", "false_positive_rate"):
        shares = [getattr(point, name) for point in rejection.curve]
        assert shares == sorted(shares, reverse=True)
        assert all(0 <= share <= 1 for share in shares)


def test_without_others_a_fixed_share_of_ours_is_accepted() -> None:
    ours = drawn(1000, 5, 0)
    rejection = learnt(ours)
    assert rejection.accept.true_positive_rate == pytest.approx(ACCEPT_TRUE_POSITIVE_RATE, abs=2e-3)
    assert rejection.suggest.true_positive_rate == pytest.approx(SUGGEST_TRUE_POSITIVE_RATE, abs=2e-3)
    assert (rejection.near, rejection.far) == (None, None)
    assert all(
        point.false_positive_rate is None for point in (rejection.accept, rejection.suggest, *rejection.curve)
    )


def test_one_kind_of_others_is_enough_and_the_other_stays_unknown() -> None:
    ours, others = drawn(100, 4, 0), drawn(50, 0, 1)
    one, other = learnt(ours, near=others), learnt(ours, far=others)
    assert one.near == other.far == Separation(round(auroc(ours, others), 4), 50)
    assert (one.far, other.near) == (None, None)
    assert one.accept == other.accept


def test_where_nothing_was_measured_there_are_no_thresholds() -> None:
    assert choose_thresholds(NONE, np.zeros(0, bool), drawn(10, 0, 0), NONE) is None


@pytest.mark.parametrize(
    "ours", [scores(3.0), scores(2, 2, 2), scores(-5.123456, -5.123451), scores(5.12346, 5.12347)]
)
def test_few_and_equal_scores_have_thresholds_too(ours: Floats) -> None:
    for near in (NONE, scores(1.0), scores(9.0, 9.0), ours):
        rejection = learnt(ours, near)
        assert rejection.accept.score >= rejection.suggest.score
        assert len(rejection.curve) >= 1
        for point in (rejection.accept, rejection.suggest, *rejection.curve):
            assert (ours >= point.score).mean() == pytest.approx(point.true_positive_rate, abs=1e-4)
            assert point.true_positive_rate > 0, "what no photo of ours reaches is no threshold"


def test_the_area_under_the_curve_is_a_share_of_pairs() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        ours, others = (
            random.integers(0, 8, random.integers(1, 30)).astype(np.float32) + shift for shift in (1, 0)
        )
        assert auroc(ours, others) == pytest.approx(slow_auroc(ours, others))
    assert auroc(scores(2, 3), scores(0, 1)) == 1
    assert auroc(scores(1, 1), scores(1)) == 0.5
