"""Whether fine-tuning is worth it: a fine-tuned model on photos that did not train it. All functions here are pure."""

from dataclasses import dataclass

import numpy as np

from worker.arrays import Floats, Indices, Labels
from worker.evaluation.gate import SIGNIFICANCE, compare
from worker.training.calibration import fit_temperature
from worker.training.heads import Head
from worker.training.out_of_distribution import OutOfDistributionScore, ScoreInputs, fit_and_measure
from worker.training.out_of_fold import OutOfFold


@dataclass(frozen=True)
class Trial:
    """Calibrated answers to the photos held out, with the score's offset in them; scores `near`, of photos of products
    that the model does not know, and `far`, of things that are no products."""

    measured: OutOfFold
    near: Floats
    far: Floats
    inverse_temperature: float
    score: OutOfDistributionScore

    def finished(self, head: Head, mean: Floats) -> Head:
        """A head of the same kind as it is published; `mean` is that of its training photos' features."""
        return self.score.added_to(head.scaled(self.inverse_temperature), mean).bounded()

    def is_good_enough(self, head: OutOfFold, groups: Labels) -> bool:
        """Whether it is not significantly worse than `head` on the same photos, whose groups are given.

        Fine-tuning nearly always helps, and a few photos are no proof that it did not.
        """
        predictions = (self.measured.logits.argmax(axis=1), head.logits.argmax(axis=1))
        return compare(self.measured.labels, *predictions, groups).p_value >= SIGNIFICANCE


def judge(
    head: Head,
    features: Floats,
    indices: Indices,
    labels: Labels,
    held_out_classes: Floats,
    negatives: Floats,
    mean: Floats,
) -> Trial:
    """Judge a fine-tuned model by `features` float32 `[n, 2816]` of held-out photos at `indices`, with `labels`.

    `held_out_classes` are features of products that it does not know, `negatives` of other things; `mean` is that of
    the photos that trained it.
    """
    raw = head.logits(features)
    inverse_temperature = 1 / fit_temperature(raw, labels)
    logits = raw * np.float32(inverse_temperature)
    similarity = features @ mean
    near, far = (
        ScoreInputs(head.scaled(inverse_temperature).logits(others).max(axis=1), others @ mean)
        for others in (held_out_classes, negatives)
    )
    fitted = fit_and_measure(ScoreInputs(logits.max(axis=1), similarity), near, far)
    return Trial(
        measured=OutOfFold(indices, logits + fitted.score.offset(similarity)[:, None], labels),
        near=fitted.near,
        far=fitted.far,
        inverse_temperature=inverse_temperature,
        score=fitted.score,
    )
