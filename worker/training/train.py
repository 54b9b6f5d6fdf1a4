"""Stage 4: features of every view, the head that is best on them, and a fine-tuned tail unless it is worse."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from worker.backbone.architecture import FEATURES, Layers
from worker.catalogue.photo_files import Product
from worker.evaluation.thresholds import Floats, Rejection, learn_rejection
from worker.features.extraction import Extracted
from worker.job.progress import EpochFinished, Phase
from worker.training.budget import Budget
from worker.training.choose_head import OutOfFold, choose_head
from worker.training.folds import FOLDS, HELD_OUT, Labels, assign_folds
from worker.training.groups import Groups, group_photos
from worker.training.heads import Head
from worker.training.trial import judge

if TYPE_CHECKING:
    from worker.training.fine_tune import Epoch, Tuned, Tuner

# The trial sees what the other folds hold, the final training everything.
TRIAL_SHARE = (FOLDS - 1) / FOLDS
AVERAGED_AT_MOST = 2_000
STRANGE = 8
STRANGE_PHOTOS = 500


@dataclass(frozen=True)
class Model:
    """A head, and the tail that it needs if that is not the backbone's own."""

    head: Head
    tail: Layers | None


@dataclass(frozen=True)
class Trained:
    """What is published, and what is known of it.

    `trial` is a model of the same kind that the photos `held_out`, places in the dataset, did not train; `None`
    where there are none. It knows the products `trial_knows`, bool `[products]`. `measured` says of every photo
    what a model said that had not seen any of its group; `reason` says why this `method` was chosen.
    """

    model: Model
    trial: Model | None
    trial_knows: npt.NDArray[np.bool_]
    held_out: Labels
    measured: OutOfFold
    rejection: Rejection | None
    groups: Groups
    method: str
    reason: str


def train(
    extracted: Extracted,
    negatives: Extracted | None,
    tail: Layers,
    *,
    epochs: int,
    seed: int,
    budget: Budget,
    step: Callable[[Phase, float], None],
    on_epoch: Callable[[EpochFinished], None],
) -> Trained:
    """Choose a head out of fold; with `epochs`, try on a fold whether fine-tuning is better, and then do it.

    The head answers where fine-tuning made it worse, or found no time or nothing to be measured on. `negatives`
    are photos of things that are no products. `step` is told what share of a phase is done.
    """
    labels = extracted.dataset.labels
    groups = group_photos(extracted)
    folds = assign_folds(labels, groups.of, extracted.dataset.sha256)
    chosen = choose_head(
        extracted.features,
        labels,
        folds,
        _first_views(negatives),
        lambda share: step(Phase.HEAD, share),
    )
    held_out = np.flatnonzero(folds == HELD_OUT)

    def head_alone(reason: str) -> Trained:
        return Trained(
            model=Model(chosen.head, None),
            trial=Model(chosen.trial, None) if chosen.trial else None,
            trial_knows=np.ones(len(extracted.dataset.products), bool),
            held_out=held_out,
            measured=chosen.measured,
            rejection=learn_rejection(chosen.measured.scores, chosen.measured.right, chosen.near, chosen.far),
            groups=groups,
            method=f"lda, shrinkage {chosen.shrinkage:g}",
            reason=reason,
        )

    known = ~strangers(extracted.dataset.products)
    measured_here = chosen.measured.at(held_out).among(known)
    places = measured_here.places
    activations = extracted.activations
    if activations is None:
        return head_alone("the profile does not fine-tune")
    if not len(places):
        return head_alone("no photos could be held out to try fine-tuning on")

    step(Phase.STARTUP, 0.0)
    # TensorFlow takes seconds to import, and a head alone does without it.
    from worker.training.fine_tune import Tuner

    tuner = Tuner(tail, activations, labels)

    def tune(phase: Phase, rows: Labels, epochs: int, seconds: float) -> "Tuned | None":
        def epoch_done(epoch: "Epoch") -> None:
            step(phase, epoch.number / epoch.of)
            on_epoch(EpochFinished(phase, epoch.number, epoch.of, round(epoch.loss, 4)))

        return tuner.run(
            rows,
            epochs=epochs,
            seed=seed,
            seconds=seconds,
            on_start=lambda: step(phase, 0.0),
            on_epoch=epoch_done,
        )

    def mean_features(rows: Labels) -> Floats:
        """Of some of the photos at `rows`, by what was trained last."""
        sample = rows[:: -(-len(rows) // AVERAGED_AT_MOST)]
        mean: Floats = tuner.features(activations, sample).mean(axis=0)
        return mean

    seconds = budget.left * TRIAL_SHARE / (1 + TRIAL_SHARE)
    trained_on = np.flatnonzero((folds != HELD_OUT) & known[labels])
    tried = tune(Phase.TRIAL, trained_on, epochs, seconds)
    if tried is None:
        return head_alone("there was no time to try fine-tuning")
    mean = mean_features(trained_on)
    unknown = np.flatnonzero(~known[labels])
    trial = judge(
        tried.head.outputs(known),
        tuner.features(activations, places),
        places,
        measured_here.labels,
        tuner.features(activations, unknown[:: -(-len(unknown) // STRANGE_PHOTOS) or 1]),
        _tuned_views(tuner, negatives),
        mean,
    )
    outcome = (
        f"on {len(places)} photos held out, fine-tuned {trial.measured.top1:.1%}, "
        f"head alone {measured_here.top1:.1%}"
    )
    if not trial.is_good_enough(measured_here, groups.of[places]):
        return head_alone(outcome)
    tuned = tune(Phase.TUNING, np.arange(len(labels)), tried.epochs, budget.left)
    if tuned is None:
        return head_alone("there was no time to fine-tune after the trial")
    return Trained(
        model=Model(trial.finished(tuned.head, mean_features(np.arange(len(labels)))), tuned.tail),
        trial=Model(trial.finished(tried.head, mean).outputs(known), tried.tail),
        trial_knows=known,
        held_out=held_out,
        measured=chosen.measured.replaced(trial.measured.among_all(known)),
        rejection=learn_rejection(trial.measured.scores, trial.measured.right, trial.near, trial.far),
        groups=groups,
        method=f"fine-tuned, {tuned.epochs} epochs",
        reason=outcome,
    )


def strangers(products: Sequence[Product]) -> npt.NDArray[np.bool_]:
    """Which products, bool `[products]`, a trial does not train on, to see what it says of them: one in STRANGE
    but two at least, by their SKUs, so that they are the same ones the next time. None of fewer than STRANGE."""
    wanted = max(2, len(products) // STRANGE) if len(products) >= STRANGE else 0
    digests = [hashlib.sha256(product.sku.encode()).hexdigest() for product in products]
    chosen = sorted(digests)[:wanted]
    return np.isin(digests, chosen)


def _first_views(negatives: Extracted | None) -> Floats:
    if negatives is None:
        return np.zeros((0, FEATURES), np.float32)
    rows = np.arange(len(negatives.features))
    views: Floats = negatives.features.read_at(rows, np.zeros_like(rows)).astype(np.float32)
    return views


def _tuned_views(tuner: "Tuner", negatives: Extracted | None) -> Floats:
    if negatives is None or negatives.activations is None:
        return np.zeros((0, FEATURES), np.float32)
    return tuner.features(negatives.activations, np.arange(len(negatives.activations)))
