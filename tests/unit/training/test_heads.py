"""Heads in closed form."""

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.made_features import examples, likes
from worker.arrays import Floats, Labels, softmax
from worker.training.calibration import log_loss
from worker.training.choose_head import (
    SHRINKAGES,
)
from worker.training.heads import LARGEST, Head, discriminant
from worker.training.moments import Moments

Doubles = npt.NDArray[np.float64]


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


def test_the_loss_of_no_opinion_is_that_of_a_guess() -> None:
    assert log_loss(np.zeros((7, 5), np.float32), np.arange(7) % 5) == pytest.approx(np.log(5))
    assert log_loss(np.array([[1e6, -1e6]], np.float32), np.array([1])) < 3e6


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
