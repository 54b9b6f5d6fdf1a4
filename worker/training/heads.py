"""Heads: from features to weights and bias in closed form. All functions here are pure."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


# Of a feature; far below that of real photos, and enough where all photos of a product are one.
LEAST_VARIANCE = 1e-7
# An eighth of what float16 holds: a graphics card that computes in it adds several of them up.
LARGEST = 8_000.0
# The logit of a product of which nothing is known.
NEVER = -1e4


@dataclass(frozen=True)
class Head:
    """Logits are `features @ kernel + bias`; float32 `[features, products]` and `[products]`."""

    kernel: Floats
    bias: Floats

    def logits(self, features: npt.NDArray[np.floating]) -> Floats:
        logits: Floats = features.astype(np.float32) @ self.kernel + self.bias
        return logits

    def scaled(self, factor: float) -> "Head":
        return Head(self.kernel * np.float32(factor), self.bias * np.float32(factor))

    def outputs(self, known: npt.NDArray[np.bool_]) -> "Head":
        """The head of the products `known` alone."""
        return Head(self.kernel[:, known], self.bias[known])

    def bounded(self) -> "Head":
        """The same answers, no surer of them than float16 can say: photos that are all alike know no doubt."""
        largest = max(float(np.abs(self.kernel).max()), float(np.abs(self.bias).max()))
        return self.scaled(LARGEST / largest) if largest > LARGEST else self


@dataclass(frozen=True)
class Moments:
    """What a closed form needs of any number of examples, and what adds up over parts of them.

    `counts` `[products]`, `sums` `[products, features]`, and `outer`, the features' products with each other,
    `[features, features]`.
    """

    counts: Floats
    sums: Floats
    outer: Floats

    @classmethod
    def of(cls, examples: Floats, labels: Labels, products: int) -> "Moments":
        """Of examples float32 `[n, features]` with labels `[n]`."""
        one_hot = (labels[:, None] == np.arange(products)).astype(np.float32)
        return cls(one_hot.sum(axis=0), one_hot.T @ examples, examples.T @ examples)

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(self.counts + other.counts, self.sums + other.sums, self.outer + other.outer)

    def __sub__(self, other: "Moments") -> "Moments":
        return Moments(self.counts - other.counts, self.sums - other.sums, self.outer - other.outer)


def discriminant(moments: Moments, shrinkage: float, dimensions: int) -> Head:
    """Linear discriminant analysis with equal priors and a covariance shrunk towards a multiple of identity.

    `shrinkage` 0 to 1; at 1 it is the nearest class mean. (Friedman, Regularized Discriminant Analysis, JASA
    1989; Ledoit and Wolf, JMA 2004, for the target.) A product without examples is never the answer. Where
    `moments` are those of coordinates in the examples' own span, `dimensions` is that of the space around it.
    """
    known = moments.counts > 0
    counts = np.maximum(moments.counts, 1)[:, None]
    means = moments.sums / counts
    within = (moments.outer - (means * counts).T @ means) / moments.counts.sum()
    spread = np.trace(within) / dimensions
    within *= 1 - shrinkage
    factor = _factor(within, max(shrinkage * spread, LEAST_VARIANCE))
    centre = means[known].mean(axis=0)
    centred = means - centre
    kernel = np.where(known, cho_solve(factor, centred.T), 0.0)
    bias = -0.5 * (centred.T * kernel).sum(axis=0) - centre @ kernel
    return Head(kernel.astype(np.float32), np.where(known, bias, NEVER).astype(np.float32))


def _factor(within: Floats, ridge: float) -> Any:
    """What `cho_solve` takes of `within` with `ridge` on its diagonal, or with as much more as it needs:
    photos that are all alike leave only rounding errors of it, which may be negative."""
    while True:
        try:
            return cho_factor(
                within + np.diag(np.full(len(within), ridge, np.float32)), True, overwrite_a=True
            )
        except np.linalg.LinAlgError:
            ridge *= 10


def softmax(logits: Floats) -> Floats:
    """Probabilities of logits `[n, products]`."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = shares / shares.sum(axis=1, keepdims=True)
    return probabilities


def log_loss(logits: Floats, labels: Labels) -> float:
    """Mean negative log-likelihood of the labels, each of which is taken to be wrong once in n + 2 times.

    So sure a model may become of n examples (Platt, 1999); without it, one that was never wrong would say so
    of everything.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    likelihoods = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    doubt = 1 / (len(labels) + 2)
    right = likelihoods[np.arange(len(labels)), labels].mean()
    return float(-(1 - doubt) * right - doubt * likelihoods.mean())
