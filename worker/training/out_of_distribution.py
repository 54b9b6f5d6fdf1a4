"""The out-of-distribution score: a photo's highest logit, with an offset that all of its logits share.

The offset changes no probability. It grows with the similarity of the photo's features to the mean of the known
products' features, in which photos of anything else differ most. By the score a client decides whether to trust an
answer.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from worker.arrays import Floats
from worker.evaluation.thresholds import auroc
from worker.training.heads import Head

DEFAULT_WEIGHT: Final = 0.5
"""In standard deviations of the highest logits, where there are no photos of other things to choose it with."""

WEIGHTS: Final = (0.0, 0.25, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class ScoreInputs:
    """Of n photos the highest logit `[n]`, and the features' inner product with the mean of the known ones, `[n]`."""

    max_logit: Floats
    mean_similarity: Floats

    def __getitem__(self, rows: slice) -> "ScoreInputs":
        return ScoreInputs(self.max_logit[rows], self.mean_similarity[rows])

    def __len__(self) -> int:
        return len(self.max_logit)


@dataclass(frozen=True)
class OutOfDistributionScore:
    """The offset of a photo's logits is `weight` times its mean similarity less `centre`."""

    weight: float
    centre: float

    def offset(self, mean_similarity: Floats) -> Floats:
        """Float32 `[n]`, to be added to every logit of n photos."""
        return ((mean_similarity - self.centre) * self.weight).astype(np.float32)

    def added_to(self, head: Head, mean: Floats) -> Head:
        """The head whose logits have the offset in them; `mean` is that of the known products' features."""
        kernel = head.kernel + np.float32(self.weight) * mean.astype(np.float32)[:, None]
        return Head(kernel, head.bias - np.float32(self.weight * self.centre))

    def of(self, inputs: ScoreInputs) -> Floats:
        """The scores float32 `[n]`."""
        scores: Floats = inputs.max_logit + self.offset(inputs.mean_similarity)
        return scores


@dataclass(frozen=True)
class MeasuredScore:
    """The score, and what it says of photos that are no known products': `near` of other products, and `far` of
    those negatives that did not choose its weight."""

    score: OutOfDistributionScore
    near: Floats
    far: Floats


def fit_and_measure(known: ScoreInputs, near: ScoreInputs, far: ScoreInputs) -> MeasuredScore:
    """Fit the score with every second photo of `far`, and measure it on the others."""
    score = fit_score(known, near, far[::2])
    return MeasuredScore(score, near=score.of(near), far=score.of(far[1::2]))


def fit_score(known: ScoreInputs, near: ScoreInputs, far: ScoreInputs) -> OutOfDistributionScore:
    """Choose the weight with which photos of `known` products best get higher scores than those of other products,
    `near`, and of other things, `far`; both may be empty. None of these photos trained the logits."""
    deviation = float(known.mean_similarity.std())
    if deviation < 1e-9:
        return OutOfDistributionScore(0.0, 0.0)
    unit = float(known.max_logit.std()) / deviation
    centre = float(known.mean_similarity.mean())
    candidates = {weight: OutOfDistributionScore(weight * unit, centre) for weight in WEIGHTS}
    if not len(far):
        return candidates[DEFAULT_WEIGHT]
    others = [inputs for inputs in (near, far) if len(inputs)]

    def separation(weight: float) -> float:
        scores = candidates[weight].of(known)
        return sum(auroc(scores, candidates[weight].of(other)) for other in others)

    return candidates[max(WEIGHTS, key=lambda weight: (separation(weight), -abs(weight - DEFAULT_WEIGHT)))]
