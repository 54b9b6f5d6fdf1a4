"""A head as it is published: calibrated, with what gives the out-of-distribution score beside its logits."""

from dataclasses import dataclass, replace

import numpy as np

from worker.arrays import Floats
from worker.training.feature_space import FeatureSpace
from worker.training.heads import Discriminant, Head, HeadKind
from worker.training.moments import Moments
from worker.training.out_of_distribution import Score, ScoreHead


@dataclass(frozen=True)
class ScoredHead:
    """The logits of a photo are `head.logits(features)`; `score` gives the score of features and logits."""

    head: Head
    score: ScoreHead

    def scores(self, features: Floats) -> Floats:
        """Float32 `[n]` of features `[n, features]`."""
        return self.score.of_photos(features, self.head.logits(features))

    def parts(self, features: Floats) -> Floats:
        """The parts of the score, float32 `[n, PARTS]`, of features `[n, features]`."""
        return self.score.parts(features, self.head.logits(features))

    def calibrated(self, factor: float) -> "ScoredHead":
        """With logits multiplied by `factor`, or by less where a weight would exceed what can be published."""
        factor = min(factor, self.head.largest_factor)
        score = replace(self.score, scale=self.score.scale / np.float32(factor))
        return ScoredHead(self.head.scaled(factor), score)

    def with_score(self, score: Score) -> "ScoredHead":
        return replace(self, score=replace(self.score, score=score))


def fit_scored_head(space: FeatureSpace, moments: Moments, kind: HeadKind, shrinkage: float) -> ScoredHead:
    """On the features themselves; neither logits nor score are calibrated yet."""
    discriminant = Discriminant.of(space.whitening(moments, shrinkage))
    head = discriminant.head(kind)
    score = ScoreHead.of(discriminant, kind, space.lift(moments.mean))
    return ScoredHead(Head(space.lift(head.kernel), head.bias), score)
