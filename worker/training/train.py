"""Stage 4: features of every view, the head that is best on them, and a fine-tuned tail where it is better."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from worker.backbone.layers import Layers
from worker.training.budget import Budget
from worker.training.choose_head import OutOfFold, choose_head, temperature
from worker.training.features import Extracted
from worker.training.folds import FOLDS, Labels, assign_folds, group_photos
from worker.training.heads import Head, log_loss
from worker.training.job import Accuracy
from worker.training.progress import EpochFinished, Phase

if TYPE_CHECKING:
    from worker.training.fine_tune import Epoch, Tuned

TRIAL_FOLD = 0
# The trial sees what the other folds hold, the final training everything.
TRIAL_SHARE = (FOLDS - 1) / FOLDS


@dataclass(frozen=True)
class Trained:
    """The head that is published, the tail it needs if that is not the backbone's own, and how good such a
    model was on photos that none of their group had trained. `reason` says why this `method` was chosen."""

    head: Head
    tail: Layers | None
    accuracy: Accuracy
    method: str
    reason: str


def train(
    extracted: Extracted,
    tail: Layers,
    *,
    epochs: int,
    seed: int,
    budget: Budget,
    step: Callable[[Phase, float], None],
    on_epoch: Callable[[EpochFinished], None],
) -> Trained:
    """Choose a head out of fold; with `epochs`, try on a fold whether fine-tuning is better, and then do it.

    The head answers where fine-tuning did not win, or found no time or nothing to be measured on. `step` is
    told what share of a phase is done.
    """
    labels = extracted.dataset.labels
    groups = group_photos(extracted.features, labels, extracted.dataset.sha256)
    folds = assign_folds(labels, groups, seed)
    chosen = choose_head(extracted.features, labels, folds, lambda share: step(Phase.HEAD, share))

    def head_alone(reason: str) -> Trained:
        method = f"lda, shrinkage {chosen.shrinkage:g}"
        return Trained(chosen.head, None, measure(chosen.measured), method, reason)

    held_out = chosen.measured.places[folds[chosen.measured.places] == TRIAL_FOLD]
    if extracted.activations is None:
        return head_alone("the profile does not fine-tune")
    if not len(held_out):
        return head_alone("no photos could be held out to try fine-tuning on")

    step(Phase.STARTUP, 0.0)
    # TensorFlow takes seconds to import, and a head alone does without it.
    from worker.training.fine_tune import Tuner

    tuner = Tuner(tail, extracted.activations, labels)

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

    seconds = budget.left * TRIAL_SHARE / (1 + TRIAL_SHARE)
    trial = tune(Phase.TRIAL, np.flatnonzero(folds != TRIAL_FOLD), epochs, seconds)
    if trial is None:
        return head_alone("there was no time to try fine-tuning")
    tried = OutOfFold(held_out, tuner.logits(held_out), labels[held_out])
    head_there = chosen.measured.at(held_out)
    outcome = (
        f"on {len(held_out)} photos held out, fine-tuned {tried.top1:.1%}, head alone {head_there.top1:.1%}"
    )
    if not _wins(tried, head_there):
        return head_alone(outcome)
    tuned = tune(Phase.TUNING, np.arange(len(labels)), trial.epochs, budget.left)
    if tuned is None:
        return head_alone("there was no time to fine-tune after the trial")
    head = tuned.head.scaled(1 / temperature(tried))
    return Trained(head, tuned.tail, measure(tried), f"fine-tuned, {tuned.epochs} epochs", outcome)


def _wins(tuned: OutOfFold, head: OutOfFold) -> bool:
    """Right more often on the same photos; where equally often, more sure of what is right."""
    if tuned.top1 != head.top1:
        return tuned.top1 > head.top1
    calibrated = tuned.logits / np.float32(temperature(tuned))
    return log_loss(calibrated, tuned.labels) < log_loss(head.logits, head.labels)


def measure(measured: OutOfFold) -> Accuracy:
    """How often a model was right about photos that it did not learn from."""
    if not len(measured.labels):
        return Accuracy(None, None, 0, 0)
    guesses = np.argsort(-measured.logits, axis=1)
    right = guesses == measured.labels[:, None]
    return Accuracy(
        top1=round(float(right[:, 0].mean()), 4),
        top3=round(float(right[:, :3].any(axis=1).mean()), 4),
        photos=len(measured.labels),
        products=len(np.unique(measured.labels)),
    )
