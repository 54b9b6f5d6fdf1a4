"""Which head, and how strong its regularisation: what is best out of fold, on photos that did not train it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from worker.arrays import Floats, Indices, Labels, Mask
from worker.cores import map_on_cores
from worker.features.scratch import Scratch
from worker.training.calibration import fit_inverse_temperature
from worker.training.feature_space import FeatureSpace
from worker.training.folds import FOLDS, HELD_OUT_FOLD
from worker.training.heads import Head
from worker.training.moments import Moments, sum_of
from worker.training.out_of_distribution import ScoreInputs, fit_and_measure
from worker.training.out_of_fold import OutOfFold

SHRINKAGES: Final = (0.1, 0.3, 0.6, 1.0)
DEFAULT_SHRINKAGE: Final = 0.3
"""Where nothing can be measured."""

MEASURED_AT_MOST: Final = 10_000
LEFT_OUT_AT_MOST: Final = 2_000

CLASS_PARTS: Final = 4
"""Products are left out in so many parts, to measure the score of products that a model does not know."""

LEAST_PRODUCTS: Final = 2


@dataclass(frozen=True)
class ChosenHead:
    """A head fitted on every photo, with the shrinkage that was best out of fold.

    `measured` are its calibrated answers out of fold, with the score's offset in them. `held_out` is the head that
    the photos of HELD_OUT_FOLD did not train, `None` where there are none. `near` and `far`: scores of photos of
    products that were left out, and of `negatives`.
    """

    head: Head
    shrinkage: float
    measured: OutOfFold
    held_out: Head | None
    near: Floats
    far: Floats


@dataclass(frozen=True)
class _Examples:
    """All photos, and the moments of each fold's."""

    space: FeatureSpace
    labels: Labels
    folds: Labels
    products: int
    by_fold: dict[int, Moments]
    total: Moments

    @classmethod
    def of(cls, features: Scratch, labels: Labels, folds: Labels) -> "_Examples":
        space, products = FeatureSpace.of(features), int(labels.max()) + 1
        by_fold = {
            int(fold): space.moments(labels, np.flatnonzero(folds == fold), products)
            for fold in np.unique(folds)
        }
        return cls(space, labels, folds, products, by_fold, sum_of(list(by_fold.values())))


@dataclass(frozen=True)
class _Candidate:
    """What one shrinkage gives out of fold."""

    shrinkage: float
    outcome: OutOfFold
    held_out: Head | None


def choose_head(
    features: Scratch,
    labels: Labels,
    folds: Labels,
    negatives: Floats,
    step: Callable[[float], None] = lambda share: None,
) -> ChosenHead:
    """Fit on all views, measure on the first, which is what a browser sees; calls `step` with shares done.

    `features` are float16 `[photos, views, n]`; `folds` as `assign_folds` returns them; `negatives` float32
    `[others, n]`, the features of things that are no products.
    """
    examples = _Examples.of(features, labels, folds)
    measured = _sample(folds)
    if not len(measured):
        return _unmeasured(examples)
    # Where two are right equally often, the more regularised one is less likely to be so by chance.
    best = max(
        _cross_validate(examples, measured, step),
        key=lambda candidate: (candidate.outcome.top1, candidate.shrinkage),
    )
    return _calibrate(examples, best, negatives)


def _unmeasured(examples: _Examples) -> ChosenHead:
    head = examples.space.lift(examples.space.fit(examples.total, DEFAULT_SHRINKAGE)).bounded()
    none = np.zeros(0, np.float32)
    return ChosenHead(head, DEFAULT_SHRINKAGE, OutOfFold.empty(examples.products), None, none, none)


def _cross_validate(
    examples: _Examples, measured: Indices, step: Callable[[float], None]
) -> list[_Candidate]:
    """For each shrinkage the answers to the photos at `measured`, by heads that their folds did not train."""
    space, folds = examples.space, examples.folds
    logits: dict[float, list[Floats]] = {shrinkage: [] for shrinkage in SHRINKAGES}
    held_out: dict[float, Head] = {}
    asked: list[Indices] = []
    for fold in [fold for fold in examples.by_fold if fold >= 0]:
        asked.append(measured[folds[measured] == fold])
        first_views = space.first_views(asked[-1])
        rest = examples.total - examples.by_fold[fold]
        heads = map_on_cores(partial(space.fit, rest), SHRINKAGES)
        for shrinkage, head in zip(SHRINKAGES, heads, strict=True):
            logits[shrinkage].append(head.logits(first_views))
            if fold == HELD_OUT_FOLD:
                held_out[shrinkage] = head
        step((fold + 1) / (FOLDS + 2))
    indices = np.concatenate(asked)
    return [
        _Candidate(
            shrinkage,
            OutOfFold(indices, np.concatenate(logits[shrinkage]), examples.labels[indices]),
            held_out.get(shrinkage),
        )
        for shrinkage in SHRINKAGES
    ]


def _calibrate(examples: _Examples, best: _Candidate, negatives: Floats) -> ChosenHead:
    """The head on all photos, with the temperature and the score's offset that fit out of fold."""
    space, mean = examples.space, examples.total.mean
    inverse_temperature = fit_inverse_temperature(best.outcome.logits, best.outcome.labels)
    logits = best.outcome.logits * np.float32(inverse_temperature)
    head = space.fit(examples.total, best.shrinkage).scaled(inverse_temperature)
    similarity = space.first_views(best.outcome.indices) @ mean
    others = space.coordinates(negatives)
    fitted = fit_and_measure(
        known=ScoreInputs(logits.max(axis=1), similarity),
        near=_left_out_classes(examples, np.sort(best.outcome.indices), best.shrinkage, inverse_temperature),
        far=ScoreInputs(head.logits(others).max(axis=1), others @ mean),
    )

    def finished(fitted_head: Head) -> Head:
        return space.lift(fitted.score.added_to(fitted_head, mean)).bounded()

    return ChosenHead(
        head=finished(head),
        shrinkage=best.shrinkage,
        measured=OutOfFold(
            best.outcome.indices, logits + fitted.score.offset(similarity)[:, None], best.outcome.labels
        ),
        held_out=best.held_out and finished(best.held_out.scaled(inverse_temperature)),
        near=fitted.near,
        far=fitted.far,
    )


def _left_out_classes(
    examples: _Examples, indices: Indices, shrinkage: float, inverse_temperature: float
) -> ScoreInputs:
    """What heads say of those photos at `indices` whose products they do not know."""
    part_of = np.arange(examples.products) % CLASS_PARTS
    empty = np.zeros(0, np.float32)
    max_logit, similarity = [empty], [empty]
    for part in range(CLASS_PARTS):
        left_out = part_of == part
        photos = indices[left_out[examples.labels[indices]]]
        if not len(photos) or examples.products - left_out.sum() < LEAST_PRODUCTS:
            continue
        photos = photos[:: -(-len(photos) * CLASS_PARTS // LEFT_OUT_AT_MOST)]
        inputs = _without_classes(examples, left_out, photos, shrinkage, inverse_temperature)
        max_logit.append(inputs.max_logit)
        similarity.append(inputs.mean_similarity)
    return ScoreInputs(np.concatenate(max_logit), np.concatenate(similarity))


def _without_classes(
    examples: _Examples, left_out: Mask, photos: Indices, shrinkage: float, inverse_temperature: float
) -> ScoreInputs:
    """What a head fitted without the products `left_out`, bool `[products]`, says of `photos`."""
    space, labels = examples.space, examples.labels
    known = examples.total - space.moments(labels, np.flatnonzero(left_out[labels]), examples.products)
    first_views = space.first_views(photos)
    logits = space.fit(known, shrinkage).scaled(inverse_temperature).logits(first_views)
    return ScoreInputs(logits[:, ~left_out].max(axis=1), first_views @ known.mean)


def _sample(folds: Labels) -> Indices:
    """Indices of the photos that measure: all of them, or as many as are enough."""
    indices = np.flatnonzero(folds >= 0)
    if len(indices) <= MEASURED_AT_MOST:
        return indices
    return np.sort(np.random.default_rng(0).choice(indices, MEASURED_AT_MOST, replace=False))
