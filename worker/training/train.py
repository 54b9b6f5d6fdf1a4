"""The training: a head that is best out of fold, and a fine-tuned tail unless a trial shows that it is worse."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from worker.arrays import Floats, Indices, Labels, Mask
from worker.backbone.backbone import Backbone
from worker.catalogue.photo_files import Product
from worker.evaluation.thresholds import Rejection, choose_thresholds
from worker.features.extraction import Extracted
from worker.job.progress import EpochFinished, Phase
from worker.training.budget import Budget
from worker.training.choose_head import ChosenHead, choose_head
from worker.training.folds import FOLDS, HELD_OUT_FOLD, assign_folds
from worker.training.groups import Groups, group_photos
from worker.training.learning_curve import error_shares
from worker.training.model import Model
from worker.training.out_of_fold import OutOfFold
from worker.training.tuning import Tuning
from worker.training.warm_start import EPOCHS, WarmStart

if TYPE_CHECKING:
    from worker.training.fine_tune import Tuned

TRIAL_COST: Final = (FOLDS - 1) / FOLDS
"""Of the trial, as a share of the final training: the trial trains on the other folds, the final training on all."""

HELD_OUT_CLASSES: Final = 8
"""One product in so many is held out of the trial, and none of fewer products."""


@dataclass(frozen=True)
class Trained:
    """What is published, and what is known of it.

    `held_out_model` is a model of the same kind that the photos `held_out`, indices in the dataset, did not train;
    `None` where there are none. It knows the products `held_out_model_knows`, bool `[products]`. `measured` has the
    answers out of fold; `reason` says why this `method` was chosen. `tail_trained_on` has the
    sha256, or their first digits, of the photos that trained the held-out model's tail; `started_from` is the version
    whose tail fine-tuning went on from.
    """

    model: Model
    held_out_model: Model | None
    held_out_model_knows: Mask
    held_out: Indices
    measured: OutOfFold
    rejection: Rejection | None
    groups: Groups
    method: str
    reason: str
    tail_trained_on: frozenset[str] = frozenset()
    started_from: str | None = None


@dataclass(frozen=True)
class _Split:
    """Which photos were taken together, and which of them measure."""

    products: tuple[Product, ...]
    labels: Labels
    sha256: Sequence[str]
    groups: Groups
    folds: Labels

    @classmethod
    def of(cls, extracted: Extracted) -> "_Split":
        dataset, groups = extracted.dataset, group_photos(extracted)
        folds = assign_folds(dataset.labels, groups.of, dataset.sha256)
        return cls(dataset.products, dataset.labels, dataset.sha256, groups, folds)

    @property
    def held_out(self) -> Indices:
        return np.flatnonzero(self.folds == HELD_OUT_FOLD)


def train(
    extracted: Extracted,
    negatives: Extracted | None,
    backbone: Backbone,
    warm_start: WarmStart | None,
    *,
    epochs: int,
    seed: int,
    budget: Budget,
    step: Callable[[Phase, float], None],
    on_epoch: Callable[[EpochFinished], None],
) -> Trained:
    """Choose a head on groups left out; with `epochs`, try on a fold whether fine-tuning is better, and then do it.

    The head alone is published where fine-tuning made it worse, or found no time or no photos to be measured on.
    `negatives` are photos of things that are no products. Fine-tuning goes on from `warm_start` where that suits.
    `step` is called with the share of a phase that is done.
    """
    split = _Split.of(extracted)
    chosen = choose_head(
        extracted.features,
        split.labels,
        split.groups.of,
        split.folds,
        _first_views(negatives, backbone.architecture.features),
        lambda share: step(Phase.HEAD, share),
    )
    if extracted.tail_inputs is None:
        return _head_alone(split, chosen, "the profile does not fine-tune")
    known = ~held_out_classes(split.products)
    is_held_out = split.folds == HELD_OUT_FOLD
    if warm_start and not warm_start.suits(split.sha256, is_held_out, known[split.labels]):
        warm_start = None
    head_alone = chosen.measured.select(split.held_out).restricted_to(known)
    if warm_start:
        head_alone = head_alone.select(_unseen(split, warm_start))
    if not len(head_alone.indices):
        return _head_alone(split, chosen, "no photos could be held out to try fine-tuning on")

    step(Phase.STARTUP, 0.0)
    # TensorFlow takes seconds to import, and a head alone does without it.
    from worker.training.fine_tune import Tuner

    tuner = Tuner(backbone.architecture, backbone.layers, extracted.tail_inputs, split.labels)
    tuning = Tuning(tuner, extracted.tail_inputs, seed, step, on_epoch)
    return _fine_tune_unless_worse(
        tuning, split, known, chosen, head_alone, negatives, warm_start, epochs, budget
    )


def _fine_tune_unless_worse(
    tuning: Tuning,
    split: _Split,
    known: Mask,
    chosen: ChosenHead,
    head_alone: OutOfFold,
    negatives: Extracted | None,
    warm_start: WarmStart | None,
    epochs: int,
    budget: Budget,
) -> Trained:
    """Try fine-tuning without the held-out photos, and without the products that are not `known`; then do it.

    With a warm start, the tail of the active model's held-out one is what is tried.
    """
    trained_on = np.flatnonzero((split.folds != HELD_OUT_FOLD) & known[split.labels])
    if warm_start:
        tried: Tuned | None = tuning.tuner.loaded(warm_start.held_out_tail, EPOCHS)
    else:
        tried = tuning.run(Phase.TRIAL, trained_on, epochs, budget.left * TRIAL_COST / (1 + TRIAL_COST))
    if tried is None:
        return _head_alone(split, chosen, "there was no time to try fine-tuning")
    shares = error_shares(split.labels, split.groups.of, split.folds == HELD_OUT_FOLD)
    trial = tuning.judge(split.labels, trained_on, known, head_alone, shares, negatives)
    outcome = (
        f"on {len(head_alone.indices)} photos held out, fine-tuned {trial.measured.top1:.1%}, "
        f"head alone {head_alone.top1:.1%}"
    )
    if not trial.is_good_enough(head_alone, split.groups.of[head_alone.indices]):
        return _head_alone(split, chosen, outcome)
    everything = np.arange(len(split.labels))
    tuned = tuning.run(Phase.TUNING, everything, tried.epochs, budget.left, warm_start)
    if tuned is None:
        return _head_alone(split, chosen, "there was no time to fine-tune after the trial")
    left = trial.share_of_errors(head_alone)
    return Trained(
        model=Model(trial.finished(tuning.fit_head(everything, split.labels)), tuned.tail),
        held_out_model=Model(trial.head, tried.tail),
        held_out_model_knows=known,
        held_out=split.held_out if warm_start is None else _unseen(split, warm_start),
        measured=chosen.measured.with_errors(left).updated_with(trial.measured.expanded_to(known)),
        # Scores are in standard deviations of known photos' scores, so those of the head alone are like the trial's,
        # which has few products to be wrong about.
        rejection=choose_thresholds(
            trial.scores, trial.measured.expected, np.concatenate([trial.near, chosen.near]), trial.far
        ),
        groups=split.groups,
        method=f"fine-tuned, {tuned.epochs} epoch{'s' * (tuned.epochs != 1)}",
        reason=outcome,
        tail_trained_on=warm_start.seen
        if warm_start
        else frozenset(np.array(split.sha256)[trained_on].tolist()),
        started_from=warm_start.version if warm_start else None,
    )


def _unseen(split: _Split, warm_start: WarmStart) -> Indices:
    """The held-out photos that have not trained the tail which is tried."""
    held_out = split.held_out
    return held_out[~warm_start.has_seen(split.sha256)[held_out]]


def held_out_classes(products: Sequence[Product]) -> Mask:
    """Which products, bool `[products]`, a trial does not train on, to measure the score of products that it does not
    know: one in HELD_OUT_CLASSES but two at least. Their SKUs decide, so that they are the same ones the next time."""
    wanted = max(2, len(products) // HELD_OUT_CLASSES) if len(products) >= HELD_OUT_CLASSES else 0
    digests = [hashlib.sha256(product.sku.encode()).hexdigest() for product in products]
    return np.isin(digests, sorted(digests)[:wanted])


def _head_alone(split: _Split, chosen: ChosenHead, reason: str) -> Trained:
    return Trained(
        model=Model(chosen.fitted, None),
        held_out_model=Model(chosen.held_out, None) if chosen.held_out else None,
        held_out_model_knows=np.ones(len(split.products), bool),
        held_out=split.held_out,
        measured=chosen.measured,
        rejection=choose_thresholds(chosen.scores, chosen.measured.expected, chosen.near, chosen.far),
        groups=split.groups,
        method=f"{chosen.kind}, shrinkage {chosen.shrinkage:g}",
        reason=reason,
    )


def _first_views(negatives: Extracted | None, features: int) -> Floats:
    if negatives is None:
        return np.zeros((0, features), np.float32)
    indices = np.arange(len(negatives.features))
    views: Floats = negatives.features.read_at(indices, np.zeros_like(indices)).astype(np.float32)
    return views
