"""The choice among heads, which no photo may sway that is measured on."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.made_features import answered, dealt, examples, kept, likes, nothing
from worker.arrays import Labels, softmax
from worker.evaluation.thresholds import auroc
from worker.training.calibration import fit_temperature, log_loss
from worker.training.choose_head import DEFAULT_KIND, DEFAULT_SHRINKAGE, SHRINKAGES, ChosenHead, choose_head
from worker.training.folds import HELD_OUT_FOLD
from worker.training.heads import LARGEST, HeadKind
from worker.training.out_of_fold import OutOfFold


def test_few_examples_and_many_give_the_same_head() -> None:
    """With fewer examples than features they are solved for in their own span. Every view twice is more of the
    same: means and covariance stay."""
    random = np.random.default_rng(4)
    labels = np.repeat(np.arange(6), 10)
    x = random.normal(size=(6, 200))[labels][:, None] + 1.5 * random.normal(size=(60, 2, 200))
    groups, negatives = np.arange(60), random.normal(size=(20, 200)).astype(np.float32)
    few, many = (
        choose_head(kept(views), labels, groups, dealt(60), negatives)
        for views in (x, np.concatenate([x, x], axis=1))
    )
    assert 60 * 2 < 200 <= 60 * 4
    assert (few.kind, few.shrinkage) == (many.kind, many.shrinkage)
    assert np.array_equal(few.measured.indices, many.measured.indices)
    asked = random.normal(size=(50, 200)).astype(np.float32)
    for one, other in (
        (few.measured.logits, many.measured.logits),
        (few.fitted.head.kernel, many.fitted.head.kernel),
        (few.fitted.head.bias, many.fitted.head.bias),
        (few.fitted.head.logits(asked), many.fitted.head.logits(asked)),
        (few.fitted.scores(asked), many.fitted.scores(asked)),
        (few.scores, many.scores),
        (few.near, many.near),
        (few.far, many.far),
    ):
        assert len(one) == len(other) > 0
        assert np.abs(one - other).max() <= 5e-3 * np.abs(other).max()


@pytest.fixture(params=HeadKind)
def only_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> HeadKind:
    """Nothing is left to choose, so that heads of different photos can be compared."""
    kind: HeadKind = request.param
    monkeypatch.setattr("worker.training.choose_head.HeadKind", (kind,))
    monkeypatch.setattr("worker.training.choose_head.SHRINKAGES", (0.3,))
    return kind


@pytest.mark.parametrize("group", [0, 7, 17])
def test_no_photo_is_judged_by_a_head_that_its_own_group_trained(only_kind: HeadKind, group: int) -> None:
    """Whichever product a group is filed under, the answers to its own photos are the same.

    The ridge is that of all photos, so this group lies where it adds as much to the spread of either product.
    """
    labels, groups = np.repeat(np.arange(4), 12), np.arange(48) // 2
    random = np.random.default_rng(2)
    x = random.normal(size=(4, 40))[labels][:, None] + 0.9 * random.normal(size=(48, 3, 40))
    mine = groups == group
    flipped = labels.copy()
    flipped[mine] = (flipped[mine] + 1) % 4
    x[mine] += halfway(x, labels, mine, int(flipped[mine][0]))
    before, after = (
        choose_head(kept(x), each, groups, dealt(48, size=2), nothing(40)) for each in (labels, flipped)
    )
    assert before.kind is after.kind is only_kind
    assert before.measured.top1 > 0.85
    assert np.array_equal(np.sort(before.measured.indices), np.arange(48))
    own, others = (proportions(before, after, places) for places in (mine, ~mine))
    assert own < 2e-3, "nothing but the temperature, which is of all photos, is another"
    assert others > 2e-2, "the others are judged by heads that were told otherwise"


def halfway(
    x: npt.NDArray[np.float64], labels: Labels, mine: npt.NDArray[np.bool_], other: int
) -> npt.NDArray[np.float64]:
    """How to move the photos `mine` so that they add as much to the spread of their product as to the other one's."""
    own = int(labels[mine][0])
    means = [x[(labels == product) & ~mine].mean(axis=(0, 1)) for product in (own, other)]
    lefts = [int(((labels == product) & ~mine).sum()) for product in (own, other)]
    centre, across, added = x[mine].mean(axis=(0, 1)), means[1] - means[0], int(mine.sum())

    def more_to_its_own(step: float) -> float:
        away = [float(((centre + step * across - mean) ** 2).sum()) for mean in means]
        spreads = [
            added * left / (added + left) * distance for left, distance in zip(lefts, away, strict=True)
        ]
        return spreads[0] - spreads[1]

    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if more_to_its_own(middle) < 0 else (low, middle)
    moved: npt.NDArray[np.float64] = low * across
    return moved


def proportions(before: ChosenHead, after: ChosenHead, chosen: npt.NDArray[np.bool_]) -> float:
    """How much the logits of some photos differ beyond a common factor, and a sum for each photo."""
    logits = (outcome.measured.select(np.flatnonzero(chosen)).logits for outcome in (before, after))
    # What all products of a photo have in common says how familiar it is, and not which one it shows.
    one, other = (each - each.mean(axis=1, keepdims=True) for each in logits)
    factor = (one * other).sum() / (other * other).sum()
    return float(np.abs(one - factor * other).max() / np.abs(one).max())


def around_a_line(random: np.random.Generator, labels: Labels) -> npt.NDArray[np.float64]:
    """Products side by side, one of which is in the middle of all and has no direction of its own."""
    means = np.zeros((5, 10))
    means[:, 0] = (-8, -4, 0, 4, 8)
    return means[labels] + random.normal(size=(len(labels), 10))


def in_directions(random: np.random.Generator, labels: Labels) -> npt.NDArray[np.float64]:
    """Products in directions of their own; one of them is ten times as far as the others from the centre of all, and
    photos that show little of a product, whichever, are near the centre."""
    lengths = np.array([40, 4, 4, 4, 4])
    shown = random.uniform(0.1, 1, len(labels))
    means = lengths[:, None] * np.eye(5, 10)
    return means[labels] * shown[:, None] + 0.25 * random.normal(size=(len(labels), 10))


@pytest.mark.parametrize(
    ("photos_of", "expected"), [(around_a_line, HeadKind.LDA), (in_directions, HeadKind.SCALED_LDA)]
)
def test_the_kind_of_head_is_chosen_that_is_right_more_often(
    photos_of: Callable[[np.random.Generator, Labels], npt.NDArray[np.float64]], expected: HeadKind
) -> None:
    random, labels = np.random.default_rng(0), np.arange(200) % 5
    features = photos_of(random, labels)[:, None]
    chosen = choose_head(kept(features), labels, np.arange(200), dealt(200), nothing(10))
    assert chosen.kind is expected
    of_others = np.arange(1000) % 5
    asked = photos_of(random, of_others).astype(np.float32)
    right = (chosen.fitted.head.logits(asked).argmax(axis=1) == of_others).mean()
    assert chosen.measured.top1 == pytest.approx(right, abs=0.06), "as often as on photos of another day"


def test_where_both_are_as_good_the_most_regularised_head_is_taken() -> None:
    labels = np.repeat(np.arange(4), 10)
    x = (10 * np.eye(4, 8))[labels] + 0.01 * np.random.default_rng(0).normal(size=(40, 8))
    chosen = choose_head(kept(x[:, None]), labels, np.arange(40), dealt(40), nothing(8))
    assert chosen.measured.top1 == 1
    assert (chosen.kind, chosen.shrinkage) == (HeadKind.SCALED_LDA, max(SHRINKAGES))


def test_the_held_out_head_is_not_trained_by_photos_that_are_held_out(only_kind: HeadKind) -> None:
    x, labels = examples([20, 20, 20], size=9)
    groups, folds = np.arange(60), dealt(60)
    spoilt = x.copy()
    held_out = folds == HELD_OUT_FOLD
    spoilt[held_out] = 5 * np.random.default_rng(1).normal(size=(held_out.sum(), 9))
    before, after = (
        choose_head(kept(each[:, None]), labels, groups, folds, nothing(9)) for each in (x, spoilt)
    )
    assert before.held_out
    assert after.held_out
    assert before.kind is after.kind is only_kind
    one, other = (each.head.logits(x) for each in (before.held_out, after.held_out))
    factor = (one * other).sum() / (other * other).sum()
    assert np.abs(one - factor * other).max() <= 2e-3 * np.abs(one).max(), "the temperature alone differs"


def test_photos_of_other_things_and_of_unknown_products_have_lower_scores() -> None:
    random, labels = np.random.default_rng(0), np.repeat(np.arange(8), 12)
    common = 3 * random.normal(size=30)
    x = common + 2 * random.normal(size=(8, 30))[labels] + 0.7 * random.normal(size=(96, 30))
    negatives = (3 * random.normal(size=(50, 30))).astype(np.float32)
    chosen = choose_head(kept(x[:, None]), labels, np.arange(96), dealt(96), negatives)
    assert chosen.scores.shape == chosen.near.shape == (96,)
    assert chosen.far.shape == (50,)
    assert chosen.scores.mean() == pytest.approx(0, abs=1e-3)
    assert np.array_equal(chosen.far, chosen.fitted.scores(negatives))
    assert auroc(chosen.scores, chosen.near) > 0.9
    assert auroc(chosen.scores, chosen.far) > 0.95


def test_steps_tell_shares_that_grow() -> None:
    x, labels = examples([10, 10, 10])
    steps: list[float] = []
    choose_head(kept(x[:, None]), labels, np.arange(30), dealt(30), nothing(12), steps.append)
    assert steps == sorted(steps)
    assert len(steps) == len(SHRINKAGES)
    assert steps[0] > 0
    assert steps[-1] <= 1


def test_where_nothing_can_be_measured_there_is_a_head_all_the_same() -> None:
    x, labels = examples([1] * 12, size=30)
    negatives = examples([5], size=30)[0]
    chosen = choose_head(kept(x[:, None]), labels, np.arange(12), np.full(12, -1), negatives)
    assert (chosen.kind, chosen.shrinkage) == (DEFAULT_KIND, DEFAULT_SHRINKAGE)
    assert len(chosen.measured.labels) == len(chosen.scores) == len(chosen.near) == 0
    assert chosen.measured.top1 == 0.0
    assert chosen.held_out is None
    assert np.array_equal(chosen.fitted.head.logits(x).argmax(axis=1), labels)
    assert np.isfinite(chosen.far).all()
    assert len(chosen.far) == 5


@pytest.mark.parametrize("size", [20, 100])
@pytest.mark.parametrize(
    "likeness",
    [
        "one photo copied for each product",
        "photos that differ by next to nothing",
        "one photo copied for all",
    ],
)
def test_everything_is_finite_however_alike_all_photos_are(likeness: str, size: int) -> None:
    x, labels = likes(likeness, size)
    photos = len(labels)
    groups = np.arange(photos) // 2
    chosen = choose_head(kept(x[:, None]), labels, groups, groups % 3, -x[:4])
    assert len(chosen.measured.labels) == len(chosen.scores) == photos
    for values in (chosen.measured.logits, chosen.scores, chosen.near, chosen.far, chosen.fitted.scores(x)):
        assert np.isfinite(values).all()
    assert np.abs(chosen.fitted.head.kernel).max() <= LARGEST * 1.001
    if likeness == "one photo copied for each product":
        assert chosen.measured.top1 == 1


def test_photos_that_never_measure_are_not_asked_about() -> None:
    x, labels = examples([10, 10, 10])
    folds = dealt(30)
    folds[::3] = -1
    chosen = choose_head(kept(x[:, None]), labels, np.arange(30), folds, nothing(12))
    assert np.array_equal(np.sort(chosen.measured.indices), np.flatnonzero(folds >= 0))
    assert np.array_equal(chosen.measured.labels, labels[chosen.measured.indices])


def overconfident(by: float, photos: int = 4000) -> OutOfFold:
    """Logits `by` times as large as those that drew the labels."""
    random = np.random.default_rng(1)
    logits = random.normal(scale=1.5, size=(photos, 5)).astype(np.float32)
    labels = np.array([random.choice(5, p=row / row.sum()) for row in softmax(logits).astype(np.float64)])
    return answered(logits * np.float32(by), labels)


@pytest.mark.parametrize("by", [0.1, 0.5, 1.0, 2.0, 4.5])
def test_a_temperature_makes_probabilities_true(by: float) -> None:
    measured = overconfident(by)
    divisor = fit_temperature(measured)
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
    losses = [log_loss(answered(logits * np.float32(scale), labels)) for scale in (1, 5, 100, 10_000)]
    assert losses[1] < losses[0]
    assert losses[1] < losses[2] < losses[3]
    divisor = fit_temperature(answered(logits * np.float32(0.1), labels))
    sure = softmax(logits * np.float32(0.1 / divisor)).max()
    # Wrong once in n + 2 times, and then any of the four.
    assert sure == pytest.approx(1 - 0.75 / 22, abs=0.01)
