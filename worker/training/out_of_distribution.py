"""The out-of-distribution score, by which a client decides whether to trust an answer.

It is a sum of four parts, each in standard deviations of what photos of known products have:
- the highest logit;
- its margin over the second;
- minus the squared distance to the nearest class mean, in the space that the class means span (Lee et al., NeurIPS
  2018, in fewer dimensions);
- the similarity to the mean of all known products' photos, in which photos of anything else differ most, less what
  photos that trained the model have.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from worker.arrays import Floats
from worker.training.heads import Discriminant, HeadKind, affine

PARTS: Final = 4

SIMILARITY: Final = 3
"""The place of the similarity among the parts."""

MOST_WEIGHTS: Final = 300_000
"""Of the matrix that measures distances, a tenth of a model's download; with many products it is of low rank."""

NEGLIGIBLE: Final = 1e-6
"""The smallest eigenvalue that counts, as a share of the largest."""

LEAST_UNIT: Final = 1e-6
"""The smallest unit of squared distances, whose square float32 holds: class means that are all the same have none."""

LEAST_DEVIATION: Final = 1e-5
"""The smallest standard deviation of a part that counts, as a share of the part's largest value."""


@dataclass(frozen=True)
class Distances:
    """Gives the distance to the nearest class mean, of inner products with class means as in `Discriminant`.

    `half_lengths` `[products]` are half of the squared lengths of the means, `basis` `[products, rank]` whitens inner
    products. Everything is divided by `unit`, so that it is about 1.
    """

    half_lengths: Floats
    basis: Floats
    unit: float

    @classmethod
    def of(cls, gram: Floats) -> "Distances":
        """Of inner products of the class means with one another, `[products, products]`."""
        unit = max(float(np.trace(gram)) / len(gram), LEAST_UNIT)
        values, vectors = np.linalg.eigh(gram.astype(np.float64) / unit)
        rank = min(int((values > NEGLIGIBLE * values[-1]).sum()), max(1, MOST_WEIGHTS // len(gram)))
        kept = slice(len(gram) - rank, None)
        basis = (vectors[:, kept] / np.sqrt(np.maximum(values[kept], NEGLIGIBLE))).astype(np.float32)
        return cls((np.diagonal(gram) / (2 * unit)).astype(np.float32), basis, unit)

    def closeness(self, inner: Floats, half_lengths: Floats) -> Floats:
        """Minus the squared distance, `[n]`, of `inner` `[n, products]`; both arguments divided by `unit`."""
        close: Floats = 2 * (inner - half_lengths).max(axis=1) - ((inner @ self.basis) ** 2).sum(axis=1)
        return close


def score_parts(logits: Floats, closeness: Floats, similarity: Floats) -> Floats:
    """The parts of the score, `[n, PARTS]`, of calibrated logits `[n, products]`."""
    second, first = np.sort(logits, axis=1)[:, -2:].T
    return np.stack([first, first - second, closeness, similarity], axis=1)


@dataclass(frozen=True)
class Score:
    """The score is `parts @ weights + constant`; `weights` is float32 `[PARTS]`."""

    weights: Floats
    constant: float

    @classmethod
    def fitted(cls, known: Floats) -> "Score":
        """By the parts `[n, PARTS]` of photos of known products that did not train the model."""
        if not len(known):
            return cls(np.ones(PARTS, np.float32), 0.0)
        deviations = known.std(axis=0, dtype=np.float64)
        # A part that does not vary, or by rounding errors alone, says nothing.
        varies = deviations > LEAST_DEVIATION * np.abs(known).max(axis=0)
        weights = np.where(varies, 1 / np.where(varies, deviations, 1), 0).astype(np.float32)
        return cls(weights, -float(known.mean(axis=0) @ weights))

    def of(self, parts: Floats) -> Floats:
        """Float32 `[n]`."""
        scores: Floats = (parts @ self.weights + self.constant).astype(np.float32)
        return scores


@dataclass(frozen=True)
class ScoreHead:
    """What computes the score of a photo from its features and its logits.

    `mean` `[features]` is that of the photos that trained the model. `logits * scale + shift`, both `[products]`, are
    the inner products with the class means, divided by the unit of `distances`.
    """

    mean: Floats
    scale: Floats
    shift: Floats
    distances: Distances
    score: Score

    @classmethod
    def of(cls, discriminant: Discriminant, kind: HeadKind, mean: Floats) -> "ScoreHead":
        """For the logits of `discriminant.head(kind)`."""
        distances = Distances.of(discriminant.gram)
        scale, shift = affine(kind, discriminant.lengths)
        return cls(
            mean=mean.astype(np.float32),
            scale=(1 / (scale * distances.unit)).astype(np.float32),
            shift=(-shift / (scale * distances.unit)).astype(np.float32),
            distances=distances,
            score=Score.fitted(np.zeros((0, PARTS), np.float32)),
        )

    @property
    def usual_similarity(self) -> float:
        """That of the photos that trained the model, on average. Models with other tails have another one, so that
        similarities are counted from it: the score that was fitted with one of them is then the other's, too."""
        return float(self.mean @ self.mean)

    @property
    def published_constant(self) -> float:
        """The score's constant for similarities that are not counted from the usual one."""
        return self.score.constant - float(self.score.weights[SIMILARITY]) * self.usual_similarity

    def parts(self, features: Floats, logits: Floats) -> Floats:
        """Float32 `[n, PARTS]` of features `[n, features]` and calibrated logits `[n, products]`."""
        inner = logits * self.scale + self.shift
        closeness = self.distances.closeness(inner, self.distances.half_lengths)
        return score_parts(logits, closeness, features @ self.mean - self.usual_similarity)

    def of_photos(self, features: Floats, logits: Floats) -> Floats:
        """Scores float32 `[n]`."""
        return self.score.of(self.parts(features, logits))
