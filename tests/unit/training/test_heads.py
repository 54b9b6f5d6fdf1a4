"""Heads in closed form, and the choice among them, which no photo may sway that is measured on."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from worker.arrays import Floats, Labels, softmax
from worker.backbone.architecture import FEATURES
from worker.backbone.backbone import Backbone
from worker.backbone.cache import cached_backbone
from worker.backbone.template import Template
from worker.features.scratch import Scratch
from worker.pipeline.export import export
from worker.training.calibration import fit_temperature, log_loss
from worker.training.choose_head import SHRINKAGES, ChosenHead, choose_head
from worker.training.folds import FOLDS
from worker.training.heads import LARGEST, Head, discriminant
from worker.training.model import Model
from worker.training.moments import Moments
from worker.training.out_of_fold import OutOfFold

Doubles = npt.NDArray[np.float64]


def examples(counts: list[int], size: int = 12, spread: float = 1.0, seed: int = 0) -> tuple[Floats, Labels]:
    """So many examples of each product around a mean of its own, in an order of no meaning."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.repeat(np.arange(len(counts)), counts))
    means = random.normal(size=(len(counts), size))
    mixed = random.normal(size=(size, size)) / np.sqrt(size)
    noise = random.normal(size=(len(labels), size)) @ mixed
    return (means[labels] + spread * noise).astype(np.float32), labels


def kept(features: npt.NDArray[np.floating]) -> Scratch:
    """Of `[photos, views, n]`."""
    scratch = Scratch(len(features), features.shape[1:], np.float16)
    for row, views in enumerate(features):
        scratch.write(row, views.astype(np.float16))
    return scratch


def dealt(photos: int, size: int = 1) -> Labels:
    """Folds of groups of so many photos, one group after the other."""
    return np.arange(photos) // size % FOLDS


def nothing(size: int) -> Floats:
    """No photos of other things."""
    return np.zeros((0, size), np.float32)


def slow_logits(x: Floats, labels: Labels, shrinkage: float, asked: Floats) -> Doubles:
    """Linear discriminant analysis by its definition, with loops: log-densities of normal distributions that
    share a covariance, up to what they have in common."""
    products, size = int(labels.max()) + 1, x.shape[1]
    means = [x[labels == product].astype(np.float64).mean(axis=0) for product in range(products)]
    covariance = np.zeros((size, size))
    for example, label in zip(x.astype(np.float64), labels, strict=True):
        away = example - means[label]
        for row in range(size):
            covariance[row] += away[row] * away / len(x)
    target = np.eye(size) * np.trace(covariance) / size
    inverse = np.linalg.inv((1 - shrinkage) * covariance + shrinkage * target)
    logits = np.zeros((len(asked), products))
    for place, example in enumerate(asked.astype(np.float64)):
        for product in range(products):
            away = example - means[product]
            logits[place, product] = -0.5 * away @ inverse @ away
    return logits


@pytest.mark.parametrize("shrinkage", SHRINKAGES)
@pytest.mark.parametrize("counts", [[30, 30, 30], [200, 3, 1, 40]])
def test_the_discriminant_is_what_its_definition_says(shrinkage: float, counts: list[int]) -> None:
    x, labels = examples(counts)
    asked = examples([20, 20], seed=9)[0]
    head = discriminant(Moments.of(x, labels, len(counts)), shrinkage, dimensions=x.shape[1])
    expected = slow_logits(x, labels, shrinkage, asked)
    given = head.logits(asked).astype(np.float64)
    # What is common to all products of an example says nothing.
    given -= given.mean(axis=1, keepdims=True)
    expected -= expected.mean(axis=1, keepdims=True)
    assert np.abs(given - expected).max() <= 1e-3 * np.abs(expected).max()
    assert head.kernel.dtype == head.bias.dtype == np.float32


def test_fully_shrunk_it_is_the_nearest_class_mean() -> None:
    x, labels = examples([50, 5, 20])
    asked = examples([200, 200, 200], seed=3)[0]
    head = discriminant(Moments.of(x, labels, 3), 1.0, dimensions=x.shape[1])
    means = np.stack([x[labels == product].mean(axis=0) for product in range(3)])
    nearest = np.linalg.norm(asked[:, None] - means, axis=2).argmin(axis=1)
    assert np.array_equal(head.logits(asked).argmax(axis=1), nearest)


def test_a_product_with_one_photo_is_as_likely_as_one_with_thousands() -> None:
    random = np.random.default_rng(0)
    many = random.normal(size=(5000, 8)).astype(np.float32)
    few = many[:1] + np.float32(2.0)
    x, labels = np.concatenate([many, few]), np.repeat([0, 1], [5000, 1])
    for shrinkage in SHRINKAGES:
        head = discriminant(Moments.of(x, labels, 2), shrinkage, dimensions=8)
        between = (many.mean(axis=0) + few[0]) / 2
        logits = head.logits(between[None])[0]
        assert abs(logits[0] - logits[1]) < 1e-2
        assert head.logits(few)[0].argmax() == 1


@pytest.mark.parametrize("spread", [0.0, 1e-4, 1.0])
def test_a_product_without_examples_is_never_the_answer(spread: float) -> None:
    x, labels = examples([10, 10, 10, 10], spread=spread)
    labels[labels == 2] = 1
    head = discriminant(Moments.of(x, labels, 4), 0.1, dimensions=x.shape[1])
    logits = head.logits(np.concatenate([x, -x, 3 * x, np.zeros_like(x[:1])]))
    assert np.isfinite(logits).all()
    assert (logits.argmax(axis=1) != 2).all()
    assert softmax(logits)[:, 2].max() < 1e-6


def test_moments_add_and_subtract() -> None:
    x, labels = examples([40, 30, 20])
    whole, part, rest = (
        Moments.of(x[rows], labels[rows], 3) for rows in (slice(None), slice(0, 25), slice(25, None))
    )
    for name in ("counts", "sums", "outer"):
        assert np.allclose(getattr(part + rest, name), getattr(whole, name), atol=1e-3)
        assert np.allclose(getattr(whole - part, name), getattr(rest, name), atol=1e-3)
    assert whole.counts.tolist() == [40, 30, 20]
    empty = Moments.of(x[:0], labels[:0], 3)
    assert np.array_equal((whole + empty).outer, whole.outer)


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


def test_the_loss_of_no_opinion_is_that_of_a_guess() -> None:
    assert log_loss(np.zeros((7, 5), np.float32), np.arange(7) % 5) == pytest.approx(np.log(5))
    assert log_loss(np.array([[1e6, -1e6]], np.float32), np.array([1])) < 3e6


@pytest.fixture(scope="module")
def backbone(cache: Path) -> Backbone:
    return cached_backbone("random", cache)


def likes(kind: str, size: int) -> tuple[Floats, Labels]:
    """Features as alike as photos can be, of the length and sign that the backbone's have."""
    random = np.random.default_rng(0)
    unlike = np.sqrt(random.exponential(size=(12, size)))
    unlike *= np.sqrt(3) / np.linalg.norm(unlike, axis=1, keepdims=True)
    match kind:
        case "one photo of each product":
            labels = np.arange(12)
        case "one photo copied for each product":
            labels = np.repeat(np.arange(4), 6)
        case "photos that differ by next to nothing":
            labels = np.repeat(np.arange(4), 6)
            unlike = unlike[:1] * (1 + 0.001 * random.normal(size=(12, size)))
        case _:
            labels, unlike = np.repeat(np.arange(2), 6), np.repeat(unlike[:1], 12, axis=0)
    return unlike[labels].astype(np.float32), labels


@pytest.mark.parametrize(
    "kind",
    [
        "one photo of each product",
        "one photo copied for each product",
        "photos that differ by next to nothing",
        "one photo copied for all",
    ],
)
def test_photos_without_a_difference_give_a_head_that_can_be_published(
    kind: str, backbone: Backbone, tmp_path: Path
) -> None:
    x, labels = likes(kind, FEATURES)
    chosen = choose_head(kept(x[:, None]), labels, dealt(len(labels)), nothing(FEATURES))
    export(backbone, Model(chosen.head, None), tmp_path)
    written = Template.read(tmp_path).weights
    kernel, bias = (
        written[backbone.facts.slots[f"head/{part}"]].astype(np.float32) for part in ("kernel", "bias")
    )
    logits = x.astype(np.float16).astype(np.float32) @ kernel + bias.ravel()
    assert np.isfinite(logits.astype(np.float16)).all(), "a graphics card may have nothing larger"
    if kind != "one photo copied for all":
        assert np.array_equal(logits.argmax(axis=1), labels)


@pytest.mark.parametrize("kind", ["one photo copied for each product", "one photo copied for all"])
def test_rounding_errors_of_thousands_of_copies_are_no_covariance(kind: str) -> None:
    few, of_few = likes(kind, 1000)
    x, labels = np.repeat(few, 250, axis=0), np.repeat(of_few, 250)
    head = discriminant(Moments.of(x, labels, int(labels.max()) + 1), 0.1, dimensions=1000).bounded()
    assert np.isfinite(head.kernel).all()
    if kind == "one photo copied for each product":
        assert np.array_equal(head.logits(x).argmax(axis=1), labels)


def test_a_head_is_bounded_only_where_float16_ends() -> None:
    head = Head(np.full((3, 2), 50.0, np.float32), np.array([1.0, -70.0], np.float32))
    assert head.bounded() is head
    larger = head.scaled(1e6).bounded()
    assert np.abs(larger.bias).max() == pytest.approx(LARGEST)
    assert larger.kernel[0, 0] / larger.bias[1] == pytest.approx(-50 / 70)
