"""A new model takes the active one's place unless it is worse, by more than is allowed and than is chance."""

import numpy as np
import pytest
from scipy.stats import binomtest, permutation_test

from worker.arrays import Labels
from worker.evaluation.gate import compare, decide
from worker.job.options import Promote
from worker.job.promotion import Comparison


def of_gains(gains: Labels | list[int], undecided: int = 3) -> Comparison:
    """A group for each gain, of as many photos as only one of the models is right on, and as many photos on
    which the models agree."""
    sizes = np.abs(np.array(gains, np.int64))
    groups = np.concatenate([np.repeat(np.arange(len(sizes)), sizes), np.arange(undecided)])
    won = np.concatenate([np.repeat(np.array(gains) > 0, sizes), np.arange(undecided) % 2 == 0])
    lost = np.concatenate([np.repeat(np.array(gains) < 0, sizes), np.arange(undecided) % 2 == 0])
    labels = np.arange(len(groups)) % 3
    return compare(labels, np.where(won, labels, 3), np.where(lost, labels, -1), groups)


def test_shares_are_those_of_right_first_guesses() -> None:
    labels = np.array([0, 0, 1, 1, 4])
    new, active = np.array([0, 1, 1, -1, 4]), np.array([0, -1, 1, 1, 2])
    found = compare(labels, new, active, np.arange(5))
    assert (found.photos, found.products, found.new_accuracy, found.active_accuracy) == (5, 3, 0.6, 0.6)


@pytest.mark.parametrize("gains", [[], [0, 0]])
def test_models_that_are_right_on_the_same_photos_differ_by_chance_for_certain(gains: list[int]) -> None:
    assert of_gains(gains).p_value == 1.0


@pytest.mark.parametrize("seed", range(20))
def test_photos_that_are_alone_have_mcnemars_exact_test(seed: int) -> None:
    random = np.random.default_rng(seed)
    won, lost = random.integers(0, 30, 2).tolist()
    expected = binomtest(won, won + lost, 0.5, alternative="less").pvalue if won + lost else 1.0
    assert of_gains([1] * won + [-1] * lost).p_value == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(20))
def test_groups_have_the_permutation_test_over_all_signs(seed: int) -> None:
    random = np.random.default_rng(seed)
    gains = random.integers(-6, 6, random.integers(2, 10))
    expected = permutation_test(
        (gains,), np.sum, permutation_type="samples", alternative="less", n_resamples=np.inf
    )
    assert of_gains(gains).p_value == pytest.approx(expected.pvalue)


def test_thousands_of_photos_are_tested_exactly_too() -> None:
    expected = binomtest(2_400, 5_000, 0.5, alternative="less").pvalue
    assert of_gains([1] * 2_400 + [-1] * 2_600).p_value == pytest.approx(expected)


def test_ten_photos_of_one_occasion_are_no_evidence_and_ten_of_ten_are() -> None:
    assert of_gains([-10]).p_value == 0.5
    assert of_gains([-1] * 10).p_value == pytest.approx(2**-10)
    assert of_gains([1] * 10).p_value == 1.0


def test_two_equally_good_models_seldom_seem_to_differ() -> None:
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 4)
    alarms = 0
    for _ in range(1_000):
        easy = random.beta(1.5, 0.5, 30)[groups]
        swayed = np.where(random.random((2, 30)) < 0.3, random.random((2, 30)), np.nan)[:, groups]
        right = random.random((2, 120)) < np.where(np.isnan(swayed), easy, swayed)
        new, active = np.where(right, 0, 1)
        alarms += compare(np.zeros(120, np.int64), new, active, groups).p_value < 0.05
    assert 10 <= alarms <= 65


def compared(new: float, active: float, chance: float) -> Comparison:
    return Comparison(photos=84, products=25, new_accuracy=new, active_accuracy=active, p_value=chance)


WORSE = compared(52 / 84, 67 / 84, 0.0004)


def test_a_worse_model_is_not_activated_and_the_reason_has_the_numbers() -> None:
    decision = decide(WORSE, promote=Promote.AUTO, tolerance=0.02, active_version="v1_20260101")
    assert not decision.activate
    assert decision.reason == (
        "On 84 photos of 25 products that neither had trained on, the new model is right on 61.9%, the active "
        "model v1_20260101 on 79.8%: worse by 17.9 points, more than PROMOTE_TOLERANCE allows (2) and more than "
        "chance explains. The new model was published and not activated."
    )
    assert (decision.active_version, decision.comparison) == ("v1_20260101", WORSE)


@pytest.mark.parametrize(
    ("comparison", "tolerance", "says"),
    [
        (compared(0.80, 0.70, 0.99), 0.02, "better by 10.0 points. The new model was activated."),
        (compared(0.80, 0.80, 0.60), 0.0, "equally good. The new"),
        (compared(0.79, 0.80, 0.01), 0.015, "worse by 1.0 points, which PROMOTE_TOLERANCE allows (1.5). The"),
        (compared(0.78, 0.80, 0.01), 0.02, "worse by 2.0 points, which PROMOTE_TOLERANCE allows (2). The"),
        (compared(0.70, 0.80, 0.05), 0.02, "worse by 10.0 points, which may be chance. The new"),
    ],
)
def test_a_model_that_is_not_clearly_worse_is_activated(
    comparison: Comparison, tolerance: float, says: str
) -> None:
    decision = decide(comparison, promote=Promote.AUTO, tolerance=tolerance, active_version="v1")
    assert decision.activate
    assert says in decision.reason


def test_the_first_model_is_activated() -> None:
    decision = decide(None, promote=Promote.AUTO, tolerance=0.02, active_version=None)
    assert decision.activate
    assert decision.reason == "There was no active model. The new model was activated."
    assert decision.comparison is None


def test_an_active_model_that_cannot_be_compared_gives_way_and_the_reason_says_why() -> None:
    why = "The active model v1 was not trained here."
    decision = decide(None, promote=Promote.AUTO, tolerance=0.02, active_version="v1", incomparable=why)
    assert decision.activate
    assert decision.reason == f"{why} The new model was activated."


BETTER = compared(0.9, 0.5, 1.0)


@pytest.mark.parametrize("comparison", [BETTER, None])
def test_a_model_that_lost_a_product_is_not_activated_however_good_it_is(
    comparison: Comparison | None,
) -> None:
    lost = tuple(f"SKU-{number}" for number in range(7))
    decision = decide(comparison, promote=Promote.AUTO, tolerance=0.02, active_version="v1", lost=lost)
    assert (decision.activate, decision.products_lost) == (False, lost)
    assert decision.reason.endswith(
        "No photo of SKU-0, SKU-1, SKU-2, SKU-3, SKU-4 and 2 more, which the active model knows, can be read. The "
        "new model was published and not activated."
    )
    asked = decide(comparison, promote=Promote.ALWAYS, tolerance=0.02, active_version="v1", lost=lost[:1])
    assert asked.activate
    assert asked.reason.endswith(
        "No photo of SKU-0, which the active model knows, can be read. The new model was activated, as the option "
        "promote is always."
    )


def test_models_without_a_photo_in_common_are_not_compared() -> None:
    nothing = np.zeros(0, np.int64)
    comparison = compare(nothing, nothing, nothing, nothing)
    decision = decide(comparison, promote=Promote.AUTO, tolerance=0.0, active_version="v1")
    assert decision.activate
    assert decision.comparison is None
    assert decision.reason == (
        "There was no photo that neither model had trained on. The new model was activated."
    )


@pytest.mark.parametrize("comparison", [WORSE, compared(0.9, 0.5, 1.0), None])
@pytest.mark.parametrize("active_version", ["v1", None])
@pytest.mark.parametrize(("promote", "activate"), [(Promote.ALWAYS, True), (Promote.NEVER, False)])
def test_what_a_job_asked_for_is_done_and_the_comparison_said(
    promote: Promote, activate: bool, active_version: str | None, comparison: Comparison | None
) -> None:
    decision = decide(comparison, promote=promote, tolerance=0.02, active_version=active_version)
    assert decision.activate == activate
    assert decision.reason.endswith(f"activated, as the option promote is {promote}.")
    assert ("On 84 photos of 25 products" in decision.reason) == bool(comparison and active_version)


def test_one_photo_is_one_photo() -> None:
    one = np.zeros(1, np.int64)
    decision = decide(
        compare(one, one, one, one), promote=Promote.AUTO, tolerance=0.02, active_version="v" * 50
    )
    assert decision.reason.startswith("On 1 photo of 1 product that")
    assert len(decision.reason) < 400
