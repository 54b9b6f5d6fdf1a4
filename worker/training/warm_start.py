"""A warm start: fine-tuning goes on from the active model's tails, where nearly all photos are still the same.

The published model's tail has seen every photo, so that nothing could be measured with it. The trial and the held-out
model go on from the tail of the active model's held-out one, and are measured on photos that it has never seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from worker.arrays import Mask
from worker.backbone.layers import Layers
from worker.training.heads import Head

DIGITS: Final = 16
"""Hex digits of a photo's sha256 that are enough to tell it from any other."""

EPOCHS: Final = 1
"""Of fine-tuning from the active model's tail."""

UNCHANGED: Final = 0.9
"""At least this share of the photos that train the held-out model's tail must have trained it before."""

MEASURABLE: Final = 0.8
"""At least this share of the photos that are held out must not have trained it."""


@dataclass(frozen=True)
class WarmStart:
    """What fine-tuning goes on from: the `tail` of the active model `version`, its `head` with the outputs of today's
    products, and the `held_out_tail`, which the photos whose sha256 begin as in `seen` have trained."""

    version: str
    tail: Layers
    head: Head
    held_out_tail: Layers
    seen: frozenset[str]

    def has_seen(self, sha256: Sequence[str]) -> Mask:
        """Which photos trained the held-out tail, bool `[photos]`."""
        return np.array([digest[:DIGITS] in self.seen for digest in sha256], bool)

    def suits(self, sha256: Sequence[str], held_out: Mask, known: Mask) -> bool:
        """Whether the photos are still nearly the same; `held_out` `[photos]` are the photos of the trial, `known`
        `[photos]` those of products that the trial knows."""
        seen = self.has_seen(sha256)
        train, ask = seen[known & ~held_out], ~seen[known & held_out]
        enough = len(train) and len(ask) and train.mean() >= UNCHANGED and ask.mean() >= MEASURABLE
        return bool(enough) and not seen[~known].any()
