"""Heads: from features to logits by weights and bias, fitted in closed form. All functions here are pure."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, solve_triangular

from worker.arrays import Floats
from worker.training.moments import Moments

LEAST_VARIANCE: Final = 1e-7
"""Of a feature; far below that of real photos, and enough where all photos of a product are one."""

LEAST_LENGTH: Final = 1e-6
"""Of a class mean, as a share of the longest: a product in the very middle of all others has no direction."""

LARGEST: Final = 8_000.0
"""Of a weight or bias: an eighth of what float16 holds, as a GPU that computes in it adds several of them up."""


class HeadKind(StrEnum):
    """How logits come from a photo's and the class means' positions, in a space where all products vary alike.

    LDA: linear discriminant analysis with equal priors. SCALED_LDA: the class means, seen from their centre, are
    scaled to one length instead, so that no product is preferred because it is unlike the others.
    """

    LDA = "lda"
    SCALED_LDA = "scaled lda"


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

    @property
    def largest_factor(self) -> float:
        """The largest factor that leaves weights and biases at most LARGEST: photos that are all alike leave so little
        variance that the weights would exceed float16."""
        largest = max(float(np.abs(self.kernel).max()), float(np.abs(self.bias).max()))
        return LARGEST / max(largest, float(np.finfo(np.float32).tiny))


@dataclass(frozen=True)
class Whitening:
    """A linear map after which all products vary alike, by the same amount in every direction.

    `factor` is the lower Cholesky factor of the products' common covariance, shrunk towards a multiple of identity
    (Friedman, Regularized Discriminant Analysis, JASA 1989; Ledoit and Wolf, JMA 2004, for the target). `means`
    `[products, features]` are those of the products before the map, `counts` `[products]` their examples.
    """

    factor: Floats
    means: Floats
    counts: Floats
    shrinkage: float

    @classmethod
    def of(cls, moments: Moments, shrinkage: float, dimensions: int) -> "Whitening":
        """Of moments of products that all have examples; with `shrinkage` 1 only the means count, with 0 nothing is
        shrunk. Where `moments` are those of coordinates in the
        examples' own span, `dimensions` is that of the space around it."""
        counts = moments.counts[:, None]
        means = moments.sums / counts
        within = (moments.outer - (means * counts).T @ means) / moments.counts.sum()
        mean_variance = np.trace(within) / dimensions
        within *= 1 - shrinkage
        factor = _factor(within, max(float(shrinkage * mean_variance), LEAST_VARIANCE))
        return cls(factor, means, moments.counts, shrinkage)

    def apply(self, examples: Floats) -> Floats:
        """Float32 `[n, features]` of examples `[n, features]`."""
        white: Floats = solve_triangular(self.factor, examples.T, lower=True).T
        return np.ascontiguousarray(white, np.float32)

    @cached_property
    def white_means(self) -> Floats:
        return self.apply(self.means)

    @cached_property
    def mean_lengths(self) -> Floats:
        """Squared lengths of the whitened means, `[products]`."""
        lengths: Floats = (self.white_means**2).sum(axis=1)
        return lengths


@dataclass(frozen=True)
class Discriminant:
    """What a photo's position says of each product, before it becomes logits.

    `features @ kernel + bias` is its inner product with each class mean, in the whitened space, seen from the means'
    centre; `gram` `[products, products]` has those of the means.
    """

    kernel: Floats
    bias: Floats
    gram: Floats

    @classmethod
    def of(cls, whitening: Whitening) -> "Discriminant":
        centre = whitening.white_means.mean(axis=0)
        centred = whitening.white_means - centre
        kernel = solve_triangular(whitening.factor, centred.T, lower=True, trans="T").astype(np.float32)
        return cls(kernel, -(centred @ centre), centred @ centred.T)

    @property
    def lengths(self) -> Floats:
        """Squared lengths of the class means, `[products]`."""
        lengths: Floats = np.diagonal(self.gram)
        return lengths

    def head(self, kind: HeadKind) -> Head:
        """The head, not calibrated."""
        scale, shift = affine(kind, self.lengths)
        return Head(self.kernel * scale, self.bias * scale + shift)


def affine(kind: HeadKind, lengths: Floats) -> tuple[Floats, Floats]:
    """Scale and shift, of the shape of `lengths`, that make logits of inner products with class means, whose squared
    lengths are given."""
    if kind is HeadKind.LDA:
        return np.ones_like(lengths), -0.5 * lengths
    least = LEAST_LENGTH * lengths.max(axis=-1, keepdims=True) + np.finfo(np.float32).tiny
    return 1 / np.sqrt(np.maximum(lengths, least)), np.zeros_like(lengths)


def _factor(within: Floats, ridge: float) -> Floats:
    """The lower Cholesky factor of `within` plus `ridge` times identity.

    The ridge grows until the sum is positive definite: photos that are all alike leave only rounding errors of the
    covariance, whose eigenvalues may be negative.
    """
    while True:
        try:
            factor: Floats = cholesky(within + np.diag(np.full(len(within), ridge, np.float32)), lower=True)
            return factor
        except np.linalg.LinAlgError:
            ridge *= 10
