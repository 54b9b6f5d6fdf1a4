"""The choice among heads, which no photo may sway that is measured on."""

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.made_features import dealt, examples, kept, nothing
from worker.arrays import softmax
from worker.training.calibration import fit_temperature, log_loss
from worker.training.choose_head import ChosenHead, choose_head
from worker.training.out_of_fold import OutOfFold


def test_few_examples_and_many_give_the_same_head() -> None:
    """With fewer examples than features they are solved for in their own span. Every view twice is more of the
    same: means and covariance stay."""
    random = np.random.default_rng(4)
    labels = np.repeat(np.arange(6), 10)
    x = random.normal(size=(6, 200))[labels][:, None] + 1.5 * random.normal(size=(60, 2, 200))
    folds = dealt(60)
    few, many = (
        choose_head(kept(views), labels, folds, nothing(200)) for views in (x, np.concatenate([x, x], axis=1))
    )
    assert 60 * 2 < 200 <= 60 * 4
    assert few.shrinkage == many.shrinkage
    assert np.array_equal(few.measured.indices, many.measured.indices)
    for one, other in ((few.measured.logits, many.measured.logits), (few.head.bias, many.head.bias)):
        assert np.abs(one - other).max() <= 2e-3 * np.abs(other).max()
    asked = random.normal(size=(50, 200)).astype(np.float32)
    one, other = few.head.logits(asked), many.head.logits(asked)
    assert np.abs(one - other).max() <= 2e-3 * np.abs(other).max()


def test_no_photo_is_judged_by_a_head_that_its_own_group_trained() -> None:
    labels = np.repeat(np.arange(4), 12)
    random = np.random.default_rng(2)
    x = random.normal(size=(4, 40))[labels][:, None] + 0.7 * random.normal(size=(48, 3, 40))
    folds = dealt(48, size=2)
    before = choose_head(kept(x), labels, folds, nothing(40))
    assert before.measured.top1 > 0.9
    assert np.array_equal(np.sort(before.measured.indices), np.arange(48))
    for fold in (0, 3):
        flipped = labels.copy()
        held_out = folds == fold
        flipped[held_out] = (flipped[held_out] + 1) % 4
        after = choose_head(kept(x), flipped, folds, nothing(40))
        own, others = (proportions(before, after, places) for places in (held_out, ~held_out))
        if own is None or others is None:
            pytest.fail("both chose the same shrinkage when this was written")
        assert own < 1e-4, "nothing but the temperature, which is of all photos, is another"
        assert others > 1e-2, "the others are judged by heads that were told otherwise"


def proportions(before: ChosenHead, after: ChosenHead, chosen: npt.NDArray[np.bool_]) -> float | None:
    """How much the logits of some photos differ beyond a common factor, and a sum for each photo; `None` for
    another shrinkage."""
    if before.shrinkage != after.shrinkage:
        return None
    logits = (outcome.measured.select(np.flatnonzero(chosen)).logits for outcome in (before, after))
    # What all products of a photo have in common says how familiar it is, and not which one it shows.
    one, other = (each - each.mean(axis=1, keepdims=True) for each in logits)
    factor = (one * other).sum() / (other * other).sum()
    return float(np.abs(one - factor * other).max() / np.abs(one).max())


def test_steps_tell_shares_that_grow() -> None:
    x, labels = examples([10, 10, 10])
    steps: list[float] = []
    choose_head(kept(x[:, None]), labels, dealt(30), nothing(12), steps.append)
    assert steps == sorted(steps)
    assert steps[0] > 0
    assert steps[-1] <= 1


def test_where_nothing_can_be_measured_there_is_a_head_all_the_same() -> None:
    x, labels = examples([1] * 12, size=30)
    chosen = choose_head(kept(x[:, None]), labels, np.full(12, -1), nothing(30))
    assert len(chosen.measured.labels) == 0
    assert chosen.measured.top1 == 0.0
    assert np.array_equal(chosen.head.logits(x).argmax(axis=1), labels)


def overconfident(by: float, photos: int = 4000) -> OutOfFold:
    """Logits `by` times as large as those that drew the labels."""
    random = np.random.default_rng(1)
    logits = random.normal(scale=1.5, size=(photos, 5)).astype(np.float32)
    labels = np.array([random.choice(5, p=row / row.sum()) for row in softmax(logits).astype(np.float64)])
    return OutOfFold(np.arange(photos), logits * np.float32(by), labels)


@pytest.mark.parametrize("by", [0.1, 0.5, 1.0, 2.0, 4.5])
def test_a_temperature_makes_probabilities_true(by: float) -> None:
    measured = overconfident(by)
    divisor = fit_temperature(measured.logits, measured.labels)
    assert divisor == pytest.approx(by, rel=0.12)
    probabilities = softmax(measured.logits / np.float32(divisor))
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == measured.labels
    for lowest, highest in ((0.3, 0.5), (0.5, 0.7), (0.7, 0.9)):
        among = (sure > lowest) & (sure <= highest)
        assert abs(float(right[among].mean()) - float(sure[among].mean())) < 0.06


def test_no_number_of_right_answers_makes_a_model_surer_than_that_number_allows() -> None:
    labels = np.arange(20) % 4
    logits = (np.eye(4)[labels]).astype(np.float32)
    losses = [log_loss(logits * np.float32(scale), labels) for scale in (1, 5, 100, 10_000)]
    assert losses[1] < losses[0]
    assert losses[1] < losses[2] < losses[3]
    divisor = fit_temperature(logits * np.float32(0.1), labels)
    sure = softmax(logits * np.float32(0.1 / divisor)).max()
    # Wrong once in n + 2 times, and then any of the four.
    assert sure == pytest.approx(1 - 0.75 / 22, abs=0.01)
