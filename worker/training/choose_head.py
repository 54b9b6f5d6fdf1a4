"""Which head, and how strong its regularisation: what is best on groups of photos that did not train it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from worker.arrays import Floats, Indices, Labels, Mask
from worker.features.scratch import Scratch
from worker.training.calibration import fit_inverse_temperature
from worker.training.feature_space import FeatureSpace
from worker.training.folds import HELD_OUT_FOLD
from worker.training.heads import HeadKind, affine
from worker.training.learning_curve import error_shares
from worker.training.leave_group_out import GroupsOut, leave_groups_out
from worker.training.moments import Moments
from worker.training.out_of_distribution import PARTS, Score, score_parts
from worker.training.out_of_fold import OutOfFold
from worker.training.scored_head import ScoredHead, fit_scored_head

SHRINKAGES: Final = (0.1, 0.3, 0.6)

DEFAULT_KIND, DEFAULT_SHRINKAGE = HeadKind.SCALED_LDA, 0.3
"""Where nothing can be measured."""

MEASURED_AT_MOST: Final = 5_000
LEFT_OUT_AT_MOST: Final = 2_000

CLASS_PARTS: Final = 4
"""Products are left out in so many parts, to measure the score of products that a model does not know."""

LEAST_PRODUCTS: Final = 2


@dataclass(frozen=True)
class ChosenHead:
    """A head fitted on every photo, of the kind and with the shrinkage that were best on groups left out.

    `measured` are the calibrated answers to photos whose groups were left out, `scores` `[n]` their scores.
    `held_out` is the head that the photos of HELD_OUT_FOLD did not train, `None` where there are none. `near` and
    `far`: scores of photos of products that were left out, and of `negatives`.
    """

    fitted: ScoredHead
    kind: HeadKind
    shrinkage: float
    measured: OutOfFold
    scores: Floats
    held_out: ScoredHead | None
    near: Floats
    far: Floats


@dataclass(frozen=True)
class _Examples:
    """All photos, and their moments."""

    space: FeatureSpace
    labels: Labels
    products: int
    total: Moments

    @classmethod
    def of(cls, features: Scratch, labels: Labels) -> "_Examples":
        space, products = FeatureSpace.of(features), int(labels.max()) + 1
        return cls(space, labels, products, space.moments(labels, np.arange(len(labels)), products))

    def without(self, left_out: Mask) -> Moments:
        """The moments of the other photos; `left_out` is bool `[photos]`."""
        return self.total - self.space.moments(self.labels, np.flatnonzero(left_out), self.products)


@dataclass(frozen=True)
class _Candidate:
    """What one kind of head with one shrinkage answers to groups left out; `None` in `out` where there are none."""

    kind: HeadKind
    shrinkage: float
    answers: OutOfFold
    out: GroupsOut | None


def choose_head(
    features: Scratch,
    labels: Labels,
    groups: Labels,
    folds: Labels,
    negatives: Floats,
    step: Callable[[float], None] = lambda share: None,
) -> ChosenHead:
    """Fit on all views, measure on the first, which is what a browser sees; calls `step` with shares done.

    `features` are float16 `[photos, views, n]`; `groups` and `folds` `[photos]` as `group_photos` and `assign_folds`
    return them; `negatives` float32 `[others, n]`, the features of things that are no products.
    """
    examples, measured = _Examples.of(features, labels), _sample(folds)
    best = _Candidate(DEFAULT_KIND, DEFAULT_SHRINKAGE, OutOfFold.empty(examples.products), None)
    for number, shrinkage in enumerate(SHRINKAGES if len(measured) else ()):
        for candidate in _candidates(examples, groups, measured, shrinkage):
            # Where two are right equally often, the more regularised one is less likely to be so by chance.
            if candidate.answers.top1 >= best.answers.top1:
                best = candidate
        step((number + 1) / (len(SHRINKAGES) + 1))
    return _finish(examples, best, folds, negatives)


def _candidates(
    examples: _Examples, groups: Labels, measured: Indices, shrinkage: float
) -> Iterator[_Candidate]:
    whitening = examples.space.whitening(examples.total, shrinkage)
    out = leave_groups_out(examples.space, whitening, examples.labels, groups, measured)
    shares = error_shares(examples.labels, groups)
    for kind in HeadKind:
        scale, shift = affine(kind, out.lengths)
        answers = OutOfFold(
            out.indices, out.inner * scale + shift, examples.labels[out.indices], shares[out.indices]
        )
        yield _Candidate(kind, shrinkage, answers, out)


def _finish(examples: _Examples, best: _Candidate, folds: Labels, negatives: Floats) -> ChosenHead:
    """The head on all photos, with the temperature and the score that fit the groups left out."""
    answers = best.answers
    factor = fit_inverse_temperature(answers) if best.out else 1.0
    measured = answers.scaled(factor)

    def fit(moments: Moments) -> ScoredHead:
        return fit_scored_head(examples.space, moments, best.kind, best.shrinkage).calibrated(factor)

    fitted = fit(examples.total)
    parts = _parts(examples, fitted, measured, best.out)
    score = Score.fitted(parts)
    held_out = folds == HELD_OUT_FOLD
    return ChosenHead(
        fitted=fitted.with_score(score),
        kind=best.kind,
        shrinkage=best.shrinkage,
        measured=measured,
        scores=score.of(parts),
        held_out=fit(examples.without(held_out)).with_score(score) if held_out.any() else None,
        near=score.of(_parts_of_unknown(examples, best, measured.indices, factor)),
        far=fitted.with_score(score).scores(negatives),
    )


def _parts(examples: _Examples, fitted: ScoredHead, measured: OutOfFold, out: GroupsOut | None) -> Floats:
    """The parts of the score, for the photos that were left out; the space that class means span is that of all."""
    if out is None:
        return np.zeros((0, PARTS), np.float32)
    distances, unit = fitted.score.distances, fitted.score.distances.unit
    closeness = distances.closeness(out.inner / unit, out.lengths / (2 * unit))
    mean = examples.total.mean
    similarity = examples.space.first_views(out.indices) @ mean - fitted.score.usual_similarity
    return score_parts(measured.logits, closeness, similarity)


def _parts_of_unknown(
    examples: _Examples, best: _Candidate, indices: Indices, inverse_temperature: float
) -> Floats:
    """The parts of the score of those photos at `indices`, by heads that do not know their products."""
    part_of = np.arange(examples.products) % CLASS_PARTS
    found = [np.zeros((0, PARTS), np.float32)]
    for part in range(CLASS_PARTS):
        left_out = part_of == part
        photos = np.sort(indices[left_out[examples.labels[indices]]])
        if not len(photos) or examples.products - left_out.sum() < LEAST_PRODUCTS:
            continue
        photos = photos[:: -(-len(photos) * CLASS_PARTS // LEFT_OUT_AT_MOST)]
        known = examples.without(left_out[examples.labels]).restricted_to(~left_out)
        head = fit_scored_head(examples.space, known, best.kind, best.shrinkage)
        first_views = examples.space.features.read_at(photos, np.zeros_like(photos)).astype(np.float32)
        found.append(head.calibrated(inverse_temperature).parts(first_views))
    return np.concatenate(found)


def _sample(folds: Labels) -> Indices:
    """Indices of the photos that measure: all of them, or as many as are enough."""
    indices = np.flatnonzero(folds >= 0)
    if len(indices) <= MEASURED_AT_MOST:
        return indices
    return np.sort(np.random.default_rng(0).choice(indices, MEASURED_AT_MOST, replace=False))
