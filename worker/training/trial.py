"""Whether fine-tuning is worth it: a fine-tuned model on photos that did not train it. All functions here are pure."""

from dataclasses import dataclass, replace

import numpy as np

from worker.arrays import Floats, Indices, Labels
from worker.evaluation.gate import SIGNIFICANCE, compare
from worker.features.scratch import Scratch
from worker.training.calibration import fit_inverse_temperature
from worker.training.feature_space import FeatureSpace
from worker.training.heads import HeadKind
from worker.training.out_of_distribution import Score
from worker.training.out_of_fold import OutOfFold
from worker.training.scored_head import ScoredHead, fit_scored_head

KIND, SHRINKAGE = HeadKind.SCALED_LDA, 0.3
"""Of the head on tuned features."""

USUAL_SHARE_OF_ERRORS, DOUBT = 0.8, 10.0
"""The share of a head's errors that fine-tuning leaves on photos of other days (measured: docs/performance.md), and how
many errors of a trial weigh as much as that."""


@dataclass(frozen=True)
class Trial:
    """The head that was tried; its calibrated answers to the photos held out and their `scores`; and scores `near`, of
    photos of products that the model does not know, and `far`, of things that are no products."""

    head: ScoredHead
    measured: OutOfFold
    scores: Floats
    near: Floats
    far: Floats
    inverse_temperature: float
    score: Score

    def finished(self, head: ScoredHead) -> ScoredHead:
        """A head of the same kind, as it is published."""
        return head.calibrated(self.inverse_temperature).with_score(self.score)

    def share_of_errors(self, head: OutOfFold) -> float:
        """How many of the errors of `head`, which answered the same photos, are left after fine-tuning: as many as
        usual, unless the photos are enough to show something else."""
        wrong, wrong_before = ((~answers.correct).sum() for answers in (self.measured, head))
        return float((wrong + DOUBT * USUAL_SHARE_OF_ERRORS) / (wrong_before + DOUBT))

    def is_good_enough(self, head: OutOfFold, groups: Labels) -> bool:
        """Whether it is not significantly worse than `head` on the same photos, whose groups are given.

        Fine-tuning nearly always helps, and a few photos are no proof that it did not.
        """
        predictions = (self.measured.logits.argmax(axis=1), head.logits.argmax(axis=1))
        return compare(self.measured.labels, *predictions, groups).p_value >= SIGNIFICANCE


def fit_tuned_head(features: Floats, labels: Labels) -> ScoredHead:
    """The head on tuned features float32 `[n, features]` with labels `[n]`, not calibrated.

    Fine-tuning trains a head, too, by gradients; the one that is fitted afterwards is right more often.
    """
    kept = Scratch(len(features), (1, features.shape[1]), np.float16)
    for row, example in enumerate(features):
        kept.write(row, example[None])
    space = FeatureSpace.of(kept)
    moments = space.moments(labels, np.arange(len(labels)), int(labels.max()) + 1)
    return fit_scored_head(space, moments, KIND, SHRINKAGE)


def judge(
    head: ScoredHead,
    features: Floats,
    indices: Indices,
    labels: Labels,
    error_shares: Floats,
    held_out_classes: Floats,
    negatives: Floats,
) -> Trial:
    """Judge a fine-tuned model by `features` float32 `[n, features]` of held-out photos at `indices`, with `labels`
    and `error_shares` as in `OutOfFold`.

    `held_out_classes` are features of products that it does not know, `negatives` of other things.
    """
    answers = OutOfFold(indices, head.head.logits(features), labels, error_shares)
    inverse_temperature = fit_inverse_temperature(answers)
    calibrated = head.calibrated(inverse_temperature)
    parts = calibrated.parts(features)
    score = Score.fitted(parts)
    finished = calibrated.with_score(score)
    return Trial(
        head=finished,
        measured=replace(answers, logits=calibrated.head.logits(features)),
        scores=score.of(parts),
        near=finished.scores(held_out_classes),
        far=finished.scores(negatives),
        inverse_temperature=inverse_temperature,
        score=score,
    )
