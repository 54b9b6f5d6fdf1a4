"""Sums over examples that a closed-form head is fitted from; they add up over parts of the examples."""

import operator
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from worker.arrays import Floats, Labels, Mask


@dataclass(frozen=True)
class Moments:
    """`counts` `[products]`, `sums` `[products, features]`, and `outer`, the sum of the examples' outer products,
    `[features, features]`."""

    counts: Floats
    sums: Floats
    outer: Floats

    @classmethod
    def of(cls, examples: Floats, labels: Labels, products: int) -> "Moments":
        """Of examples float32 `[n, features]` with labels `[n]`."""
        one_hot = (labels[:, None] == np.arange(products)).astype(np.float32)
        return cls(one_hot.sum(axis=0), one_hot.T @ examples, examples.T @ examples)

    @property
    def mean(self) -> Floats:
        """The mean example, `[features]`."""
        mean: Floats = self.sums.sum(axis=0) / self.counts.sum()
        return mean

    def restricted_to(self, classes: Mask) -> "Moments":
        """Of those products alone, whose examples are all that `outer` is of; `classes` is bool `[products]`."""
        return Moments(self.counts[classes], self.sums[classes], self.outer)

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(self.counts + other.counts, self.sums + other.sums, self.outer + other.outer)

    def __sub__(self, other: "Moments") -> "Moments":
        return Moments(self.counts - other.counts, self.sums - other.sums, self.outer - other.outer)


def sum_of(parts: Iterable[Moments]) -> Moments:
    return reduce(operator.add, parts)
