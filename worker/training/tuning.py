"""Fine-tuning as the training stage runs it: with progress, from a warm start, and with a head fitted afterwards."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from worker.arrays import Floats, Indices, Labels, Mask
from worker.features.extraction import Extracted
from worker.features.scratch import Scratch
from worker.job.progress import EpochFinished, Phase
from worker.training.out_of_fold import OutOfFold
from worker.training.scored_head import ScoredHead
from worker.training.trial import Trial, fit_tuned_head, judge
from worker.training.warm_start import WarmStart

if TYPE_CHECKING:
    from worker.training.fine_tune import Epoch, Tuned, Tuner

HELD_OUT_CLASSES_PHOTOS: Final = 500


@dataclass(frozen=True)
class Tuning:
    """Runs the tuner, tells of its progress, and asks the tail that it trained last."""

    tuner: "Tuner"
    tail_inputs: Scratch
    seed: int
    step: Callable[[Phase, float], None]
    on_epoch: Callable[[EpochFinished], None]

    def run(
        self,
        phase: Phase,
        indices: Indices,
        epochs: int,
        seconds: float,
        warm_start: WarmStart | None = None,
    ) -> "Tuned | None":
        """`None` where `seconds` are too few."""

        def epoch_done(epoch: "Epoch") -> None:
            self.step(phase, epoch.number / epoch.of)
            self.on_epoch(EpochFinished(phase, epoch.number, epoch.of, round(epoch.loss, 4)))

        return self.tuner.run(
            indices,
            epochs=epochs,
            seed=self.seed,
            start=(warm_start.tail, warm_start.head) if warm_start else None,
            seconds=seconds,
            on_start=lambda: self.step(phase, 0.0),
            on_epoch=epoch_done,
        )

    def judge(
        self,
        labels: Labels,
        trained_on: Indices,
        known: Mask,
        head_alone: OutOfFold,
        error_shares: Floats,
        negatives: Extracted | None,
    ) -> Trial:
        """Judge what was trained last, on the photos at `trained_on` of the products in `known`: on the photos of
        `head_alone`, on other products, and on negatives. `error_shares` `[photos]` are as in `OutOfFold`."""
        unknown = np.flatnonzero(~known[labels])
        return judge(
            self.fit_head(trained_on, (np.cumsum(known) - 1)[labels]),
            self.tuner.features(self.tail_inputs, head_alone.indices),
            head_alone.indices,
            head_alone.labels,
            error_shares[head_alone.indices],
            self.tuner.features(
                self.tail_inputs, unknown[:: -(-len(unknown) // HELD_OUT_CLASSES_PHOTOS) or 1]
            ),
            self._features_of(negatives),
        )

    def fit_head(self, indices: Indices, labels: Labels) -> ScoredHead:
        """The head on the photos at `indices`, by the tail that was trained last; `labels` are of all photos."""
        return fit_tuned_head(self.tuner.features(self.tail_inputs, indices), labels[indices])

    def _features_of(self, negatives: Extracted | None) -> Floats:
        if negatives is None or negatives.tail_inputs is None:
            return self.tuner.features(self.tail_inputs, np.zeros(0, np.int64))
        return self.tuner.features(negatives.tail_inputs, np.arange(len(negatives.tail_inputs)))
