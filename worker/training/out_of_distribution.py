"""A direction that all logits share: it changes no probability, and tells our photos from those of other things.

Features of whatever shows none of our products differ most in how much they have of the mean of ours. The highest
logit with that added is the score by which a client decides whether to trust an answer.
"""

from dataclasses import dataclass

import numpy as np

from worker.evaluation.thresholds import Floats, auroc
from worker.training.heads import Head

USUAL = 0.5
"""The weight, in standard deviations of the highest logits, where nothing but our own photos is known."""

WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Seen:
    """Of n photos the highest logit `[n]`, and how much their features have of the mean of ours, `[n]`."""

    highest: Floats
    familiar: Floats

    def __getitem__(self, rows: slice) -> "Seen":
        return Seen(self.highest[rows], self.familiar[rows])

    def __len__(self) -> int:
        return len(self.highest)


@dataclass(frozen=True)
class Familiarity:
    """What is added to every logit of a photo: `weight` times what its features have of the mean, from `centre`."""

    weight: float
    centre: float

    def of(self, familiar: Floats) -> Floats:
        """Float32 `[n]`, to be added to the logits of n photos."""
        return ((familiar - self.centre) * self.weight).astype(np.float32)

    def added(self, head: Head, mean: Floats) -> Head:
        """The head whose logits have it in them; `mean` is that of our photos' features."""
        kernel = head.kernel + np.float32(self.weight) * mean.astype(np.float32)[:, None]
        return Head(kernel, head.bias - np.float32(self.weight * self.centre))

    def scores(self, seen: Seen) -> Floats:
        scores: Floats = seen.highest + self.of(seen.familiar)
        return scores


def learn_familiarity(ours: Seen, near: Seen, far: Seen) -> Familiarity:
    """Weigh what is familiar so that `ours` get higher scores than photos of other products, `near`, and of
    other things, `far`; both may be empty. The scores are of photos that did not train the logits."""
    spread = float(ours.familiar.std())
    if spread < 1e-9:
        return Familiarity(0.0, 0.0)
    unit = float(ours.highest.std()) / spread
    centre = float(ours.familiar.mean())
    candidates = {weight: Familiarity(weight * unit, centre) for weight in WEIGHTS}
    if not len(far):
        return candidates[USUAL]
    others = [seen for seen in (near, far) if len(seen)]

    def separation(weight: float) -> float:
        mine = candidates[weight].scores(ours)
        return sum(auroc(mine, candidates[weight].scores(other)) for other in others)

    return candidates[max(WEIGHTS, key=lambda weight: (separation(weight), -abs(weight - USUAL)))]
