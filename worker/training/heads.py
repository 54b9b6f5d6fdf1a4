"""Heads: from features to logits by weights and bias, fitted in closed form. All functions here are pure."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve

from worker.arrays import Floats, Mask
from worker.training.moments import Moments

LEAST_VARIANCE: Final = 1e-7
"""Of a feature; far below that of real photos, and enough where all photos of a product are one."""

LARGEST: Final = 8_000.0
"""Of a weight or bias: an eighth of what float16 holds, as a GPU that computes in it adds several of them up."""

UNKNOWN_LOGIT: Final = -1e4
"""The logit of a product without examples."""


@dataclass(frozen=True)
class Head:
    """Logits are `features @ kernel + bias`; float32 `[features, products]` and `[products]`."""

    kernel: Floats
    bias: Floats

    def logits(self, features: npt.NDArray[np.floating]) -> Floats:
        logits: Floats = features.astype(np.float32) @ self.kernel + self.bias
        return logits

    def scaled(self, factor: float) -> "Head":
        """The head whose logits are multiplied by `factor`."""
        return Head(self.kernel * np.float32(factor), self.bias * np.float32(factor))

    def restricted_to(self, classes: Mask) -> "Head":
        """The head of those products alone; `classes` is bool `[products]`."""
        return Head(self.kernel[:, classes], self.bias[classes])

    def bounded(self) -> "Head":
        """The same first guesses with weights and biases of at most LARGEST: photos that are all alike leave so
        little variance that the weights would exceed float16."""
        largest = max(float(np.abs(self.kernel).max()), float(np.abs(self.bias).max()))
        return self.scaled(LARGEST / largest) if largest > LARGEST else self


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
    mean_variance = np.trace(within) / dimensions
    within *= 1 - shrinkage
    factor = _cholesky(within, max(float(shrinkage * mean_variance), LEAST_VARIANCE))
    centre = means[known].mean(axis=0)
    centred = means - centre
    kernel = np.where(known, cho_solve(factor, centred.T), 0.0)
    bias = -0.5 * (centred.T * kernel).sum(axis=0) - centre @ kernel
    return Head(kernel.astype(np.float32), np.where(known, bias, UNKNOWN_LOGIT).astype(np.float32))


def _cholesky(within: Floats, ridge: float) -> Any:
    """The Cholesky factor of `within` plus `ridge` times identity, in the form that `cho_solve` takes.

    The ridge grows until the sum is positive definite: photos that are all alike leave only rounding errors of the
    covariance, whose eigenvalues may be negative.
    """
    while True:
        try:
            return cho_factor(
                within + np.diag(np.full(len(within), ridge, np.float32)), True, overwrite_a=True
            )
        except np.linalg.LinAlgError:
            ridge *= 10
