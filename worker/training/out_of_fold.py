"""Answers out of fold: each photo's, by a model that no photo of its group trained."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from worker.arrays import Floats, Indices, Labels, Mask

UNKNOWN_LOGIT: Final = -1e4
"""The logit of a product that a model does not know."""


@dataclass(frozen=True)
class OutOfFold:
    """Logits float32 `[n, products]` and labels `[n]` of the photos at `indices` `[n]` of the dataset."""

    indices: Indices
    logits: Floats
    labels: Labels

    @classmethod
    def empty(cls, products: int) -> "OutOfFold":
        none = np.zeros(0, np.int64)
        return cls(none, np.zeros((0, products), np.float32), none)

    def select(self, indices: Indices) -> "OutOfFold":
        """Those of the photos at `indices` of the dataset that are here."""
        kept = np.isin(self.indices, indices)
        return OutOfFold(self.indices[kept], self.logits[kept], self.labels[kept])

    def restricted_to(self, classes: Mask) -> "OutOfFold":
        """The photos of the products in `classes`, bool `[products]`, with outputs and labels of these alone."""
        kept = classes[self.labels]
        labels = (np.cumsum(classes) - 1)[self.labels[kept]]
        return OutOfFold(self.indices[kept], self.logits[kept][:, classes], labels)

    def expanded_to(self, classes: Mask) -> "OutOfFold":
        """The reverse of `restricted_to`: outputs and labels of all products; the others are never the answer."""
        logits = np.full((len(self.labels), len(classes)), UNKNOWN_LOGIT, np.float32)
        logits[:, classes] = self.logits
        return OutOfFold(self.indices, logits, np.flatnonzero(classes)[self.labels])

    def updated_with(self, other: "OutOfFold") -> "OutOfFold":
        """With the answers of `other` in place of those to the same photos."""
        kept = ~np.isin(self.indices, other.indices)
        return OutOfFold(
            np.concatenate([self.indices[kept], other.indices]),
            np.concatenate([self.logits[kept], other.logits]),
            np.concatenate([self.labels[kept], other.labels]),
        )

    @property
    def correct(self) -> Mask:
        found: Mask = self.logits.argmax(axis=1) == self.labels
        return found

    @property
    def top1(self) -> float:
        return float(self.correct.mean()) if len(self.labels) else 0.0
