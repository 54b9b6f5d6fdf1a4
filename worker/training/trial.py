"""What a fine-tuned model said of photos that did not train it, and what is learnt from that. All pure."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worker.evaluation.gate import LEAST_CHANCE, compare
from worker.training.choose_head import OutOfFold, temperature
from worker.training.folds import Labels
from worker.training.heads import Floats, Head
from worker.training.out_of_distribution import Familiarity, Seen, learn_familiarity


@dataclass(frozen=True)
class Trial:
    """Calibrated logits of the photos held out; scores `near`, of photos of products that the model does not know,
    and `far`, of things that are no products. `factor` calibrates a head of this kind."""

    measured: OutOfFold
    near: Floats
    far: Floats
    factor: float
    familiarity: Familiarity

    def finished(self, head: Head, mean: Floats) -> Head:
        """A head of the same kind as it is published; `mean` is that of its training photos' features."""
        return self.familiarity.added(head.scaled(self.factor), mean).bounded()

    def is_good_enough(self, head: OutOfFold, groups: Labels) -> bool:
        """Whether it is no worse than `head` on the same photos, or no more than chance explains; `groups` are
        those of the photos. Fine-tuning nearly always helps, and a few photos are no proof that it did not."""
        guesses = (self.measured.logits.argmax(axis=1), head.logits.argmax(axis=1))
        return compare(self.measured.labels, *guesses, groups).chance >= LEAST_CHANCE


def judge(
    head: Head,
    features: Floats,
    places: npt.NDArray[np.int64],
    labels: Labels,
    strangers: Floats,
    negatives: Floats,
    mean: Floats,
) -> Trial:
    """Judge a fine-tuned model by `features` float32 `[n, 2816]` of held-out photos at `places`, with `labels`.

    `strangers` are those of products that it does not know, `negatives` those of other things; `mean` is that of
    the photos that trained it.
    """
    raw = OutOfFold(places, head.logits(features), labels)
    factor = 1 / temperature(raw)
    logits = raw.logits * np.float32(factor)
    familiar = features @ mean
    near, far = (
        Seen(head.scaled(factor).logits(others).max(axis=1), others @ mean)
        for others in (strangers, negatives)
    )
    # Every second one is kept to measure on.
    familiarity = learn_familiarity(Seen(logits.max(axis=1), familiar), near, far[::2])
    return Trial(
        measured=OutOfFold(places, logits + familiarity.of(familiar)[:, None], labels),
        near=familiarity.scores(near),
        far=familiarity.scores(far[1::2]),
        factor=factor,
        familiarity=familiarity,
    )
