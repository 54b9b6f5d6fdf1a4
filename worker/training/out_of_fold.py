"""Answers out of fold: each photo's, by a model that no photo of its group trained."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from worker.arrays import Floats, Indices, Labels, Mask

UNKNOWN_LOGIT: Final = -1e4
"""The logit of a product that a model does not know."""


@dataclass(frozen=True)
class OutOfFold:
    """Logits float32 `[n, products]` and labels `[n]` of the photos at `indices` `[n]` of the dataset.

    `error_shares` `[n]`: where an answer is wrong, how likely the published model, which all groups trained, is wrong
    about the photo, too.
    """

    indices: Indices
    logits: Floats
    labels: Labels
    error_shares: Floats

    @classmethod
    def empty(cls, products: int) -> "OutOfFold":
        none = np.zeros(0, np.int64)
        nothing = np.zeros((0, products), np.float32)
        return cls(none, nothing, none, nothing[:, 0])

    def select(self, indices: Indices) -> "OutOfFold":
        """Those of the photos at `indices` of the dataset that are here."""
        kept = np.isin(self.indices, indices)
        return OutOfFold(self.indices[kept], self.logits[kept], self.labels[kept], self.error_shares[kept])

    def restricted_to(self, classes: Mask) -> "OutOfFold":
        """The photos of the products in `classes`, bool `[products]`, with outputs and labels of these alone."""
        kept = classes[self.labels]
        labels = (np.cumsum(classes) - 1)[self.labels[kept]]
        logits = self.logits[kept][:, classes]
        return OutOfFold(self.indices[kept], logits, labels, self.error_shares[kept])

    def expanded_to(self, classes: Mask) -> "OutOfFold":
        """The reverse of `restricted_to`: outputs and labels of all products; the others are never the answer."""
        logits = np.full((len(self.labels), len(classes)), UNKNOWN_LOGIT, np.float32)
        logits[:, classes] = self.logits
        return OutOfFold(self.indices, logits, np.flatnonzero(classes)[self.labels], self.error_shares)

    def updated_with(self, other: "OutOfFold") -> "OutOfFold":
        """With the answers of `other` in place of those to the same photos."""
        kept = ~np.isin(self.indices, other.indices)
        return OutOfFold(
            np.concatenate([self.indices[kept], other.indices]),
            np.concatenate([self.logits[kept], other.logits]),
            np.concatenate([self.labels[kept], other.labels]),
            np.concatenate([self.error_shares[kept], other.error_shares]),
        )

    def scaled(self, factor: float) -> "OutOfFold":
        """With logits multiplied by `factor`."""
        return replace(self, logits=self.logits * np.float32(factor))

    def with_errors(self, share: float) -> "OutOfFold":
        """Where the published model makes only this share of the errors that were expected."""
        return replace(self, error_shares=self.error_shares * np.float32(share))

    @property
    def correct(self) -> Mask:
        found: Mask = self.logits.argmax(axis=1) == self.labels
        return found

    @property
    def expected(self) -> Floats:
        """How likely the published model is right about each photo, float32 `[n]`."""
        expected: Floats = np.where(self.correct, np.float32(1), 1 - self.error_shares)
        return expected

    @property
    def top1(self) -> float:
        return float(self.correct.mean()) if len(self.labels) else 0.0
