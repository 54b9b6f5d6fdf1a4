"""Heads in closed form."""

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.made_features import answered, examples, likes
from worker.arrays import Floats, Labels
from worker.training.calibration import log_loss
from worker.training.choose_head import SHRINKAGES
from worker.training.heads import LARGEST, Discriminant, Head, HeadKind, Whitening
from worker.training.moments import Moments

Doubles = npt.NDArray[np.float64]


def fitted(x: Floats, labels: Labels, kind: HeadKind, shrinkage: float) -> Head:
    moments = Moments.of(x, labels, int(labels.max()) + 1)
    return Discriminant.of(Whitening.of(moments, shrinkage, dimensions=x.shape[1])).head(kind)


def slow_logits(x: Floats, labels: Labels, kind: HeadKind, shrinkage: float, asked: Floats) -> Doubles:
    """Both kinds by their definitions, with loops.

    LDA: log-densities of normal distributions that share a covariance, up to what they have in common. SCALED_LDA:
    how far a photo lies in the direction of each class mean, seen from the centre of all of them.
    """
    products, size = int(labels.max()) + 1, x.shape[1]
    means = [x[labels == product].astype(np.float64).mean(axis=0) for product in range(products)]
    covariance = np.zeros((size, size))
    for example, label in zip(x.astype(np.float64), labels, strict=True):
        away = example - means[label]
        for row in range(size):
            covariance[row] += away[row] * away / len(x)
    target = np.eye(size) * np.trace(covariance) / size
    inverse = np.linalg.inv((1 - shrinkage) * covariance + shrinkage * target)
    centre = sum(means) / products
    logits = np.zeros((len(asked), products))
    for place, example in enumerate(asked.astype(np.float64)):
        for product in range(products):
            if kind is HeadKind.LDA:
                away = example - means[product]
                logits[place, product] = -0.5 * away @ inverse @ away
            else:
                direction = means[product] - centre
                length = np.sqrt(direction @ inverse @ direction)
                logits[place, product] = (example - centre) @ inverse @ direction / length
    return logits


@pytest.mark.parametrize("kind", HeadKind)
@pytest.mark.parametrize("shrinkage", SHRINKAGES)
@pytest.mark.parametrize("counts", [[30, 30, 30], [200, 3, 1, 40]])
def test_the_discriminant_is_what_its_definition_says(
    kind: HeadKind, shrinkage: float, counts: list[int]
) -> None:
    x, labels = examples(counts)
    asked = examples([20, 20], seed=9)[0]
    head = fitted(x, labels, kind, shrinkage)
    expected = slow_logits(x, labels, kind, shrinkage, asked)
    given = head.logits(asked).astype(np.float64)
    if kind is HeadKind.LDA:
        # What is common to all products of an example says nothing.
        given -= given.mean(axis=1, keepdims=True)
        expected -= expected.mean(axis=1, keepdims=True)
    assert np.abs(given - expected).max() <= 1e-3 * np.abs(expected).max()
    assert head.kernel.dtype == head.bias.dtype == np.float32


def test_fully_shrunk_it_is_the_nearest_class_mean() -> None:
    x, labels = examples([50, 5, 20])
    asked = examples([200, 200, 200], seed=3)[0]
    head = fitted(x, labels, HeadKind.LDA, 1.0)
    means = np.stack([x[labels == product].mean(axis=0) for product in range(3)])
    nearest = np.linalg.norm(asked[:, None] - means, axis=2).argmin(axis=1)
    assert np.array_equal(head.logits(asked).argmax(axis=1), nearest)


@pytest.mark.parametrize("kind", HeadKind)
@pytest.mark.parametrize("shrinkage", SHRINKAGES)
def test_a_product_with_one_photo_is_as_likely_as_one_with_thousands(
    kind: HeadKind, shrinkage: float
) -> None:
    random = np.random.default_rng(0)
    many = random.normal(size=(5000, 8)).astype(np.float32)
    few = many[:1] + np.float32(2.0)
    x, labels = np.concatenate([many, few]), np.repeat([0, 1], [5000, 1])
    head = fitted(x, labels, kind, shrinkage)
    between = (many.mean(axis=0) + few[0]) / 2
    logits = head.logits(between[None])[0]
    assert abs(logits[0] - logits[1]) < 1e-2
    assert head.logits(few)[0].argmax() == 1


def test_a_product_far_from_all_others_is_preferred_by_no_scaled_head() -> None:
    """The length of the class mean is of no account: only its direction is."""
    means = np.array([[1, 0], [0, 20], [-1, 0]], np.float32)
    noise = np.random.default_rng(0).normal(scale=0.01, size=(300, 2)).astype(np.float32)
    labels = np.arange(300) % 3
    x = means[labels] + noise
    discriminant = Discriminant.of(Whitening.of(Moments.of(x, labels, 3), 0.3, dimensions=2))
    head = discriminant.head(HeadKind.SCALED_LDA)
    of_means = head.logits(means)
    assert np.diagonal(of_means) == pytest.approx(np.sqrt(discriminant.lengths), rel=1e-2)
    assert np.array_equal(of_means.argmax(axis=1), np.arange(3))


@pytest.mark.parametrize("kind", HeadKind)
def test_a_product_in_the_very_centre_of_all_has_finite_logits(kind: HeadKind) -> None:
    corners = np.array([[4, 0], [-4, 0], [0, 2], [0, -2]], np.float32)
    around = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]], np.float32)
    means = np.concatenate([corners, np.zeros((1, 2), np.float32)])
    x, labels = (means[:, None] + around).reshape(-1, 2), np.repeat(np.arange(5), 4)
    head = fitted(x, labels, kind, 0.3)
    assert np.isfinite(head.kernel).all()
    assert np.isfinite(head.bias).all()
    logits = head.logits(np.concatenate([means, 100 * means]))
    assert np.isfinite(logits).all()
    assert np.array_equal(logits[:4].argmax(axis=1), np.arange(4)), "the others are not confused by it"
    assert np.abs(head.kernel[:, 4]).max() <= np.abs(head.kernel).max()


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


def test_the_loss_of_no_opinion_is_that_of_a_guess() -> None:
    assert log_loss(answered(np.zeros((7, 5), np.float32), np.arange(7) % 5)) == pytest.approx(np.log(5))
    assert log_loss(answered(np.array([[1e6, -1e6]], np.float32), np.array([1]))) < 3e6


def test_moments_of_some_products_are_those_of_their_examples() -> None:
    x, labels = examples([40, 30, 20])
    left_out = labels == 1
    without = Moments.of(x, labels, 3) - Moments.of(x[left_out], labels[left_out], 3)
    found = without.restricted_to(np.array([True, False, True]))
    expected = Moments.of(x[~left_out], labels[~left_out] // 2, 2)
    assert found.counts.tolist() == expected.counts.tolist() == [40, 20]
    assert np.allclose(found.sums, expected.sums, atol=1e-3)
    assert np.allclose(found.outer, expected.outer, atol=1e-3)
    assert found.mean == pytest.approx(x[~left_out].mean(axis=0), abs=1e-4)


@pytest.mark.parametrize("kind", HeadKind)
@pytest.mark.parametrize("likeness", ["one photo copied for each product", "one photo copied for all"])
def test_rounding_errors_of_thousands_of_copies_are_no_covariance(kind: HeadKind, likeness: str) -> None:
    few, of_few = likes(likeness, 1000)
    x, labels = np.repeat(few, 250, axis=0), np.repeat(of_few, 250)
    head = fitted(x, labels, kind, 0.1)
    published = head.scaled(min(1, head.largest_factor))
    assert np.isfinite(published.kernel).all()
    assert np.isfinite(published.bias).all()
    if likeness == "one photo copied for each product":
        assert np.array_equal(published.logits(few).argmax(axis=1), of_few)


def test_the_largest_factor_is_where_float16_ends() -> None:
    head = Head(np.full((3, 2), 50.0, np.float32), np.array([1.0, -70.0], np.float32))
    assert head.largest_factor == pytest.approx(LARGEST / 70)
    larger = head.scaled(head.largest_factor)
    assert np.abs(larger.bias).max() == pytest.approx(LARGEST)
    assert larger.kernel[0, 0] / larger.bias[1] == pytest.approx(-50 / 70)
    assert larger.largest_factor == pytest.approx(1)
    of_weights = Head(head.kernel * 3, head.bias)
    assert of_weights.largest_factor == pytest.approx(LARGEST / 150)


def test_a_head_of_zeros_allows_any_factor() -> None:
    zeros = Head(np.zeros((3, 2), np.float32), np.zeros(2, np.float32))
    assert np.isfinite(zeros.largest_factor)
    assert (zeros.scaled(min(1000.0, zeros.largest_factor)).kernel == 0).all()
