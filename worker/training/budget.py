"""What a job's profile and time budget buy in the train stage."""

import math
import time
from dataclasses import dataclass

from worker.catalogue.dataset import Dataset
from worker.errors import ErrorCode, JobError
from worker.features.extraction import Extractor
from worker.job.options import Profile
from worker.job.progress import Phase
from worker.photos.augmentation import view_names

FEATURES_SHARE = {Profile.QUICK: 0.9, Profile.STANDARD: 0.4, Profile.THOROUGH: 0.3}
"""Of the budget, what computing features may take; the rest is for what is trained on them."""


@dataclass(frozen=True)
class Recipe:
    """Views of each photo, and epochs of fine-tuning on them."""

    views: int
    epochs: int


RECIPES = {
    Profile.QUICK: Recipe(views=4, epochs=0),
    Profile.STANDARD: Recipe(views=5, epochs=6),
    Profile.THOROUGH: Recipe(views=8, epochs=15),
}


class Budget:
    """Counts down from when it is made; without `seconds` there is always time."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._started = time.monotonic()

    @property
    def left(self) -> float:
        """Seconds, infinite where the job names no budget."""
        if self._seconds is None:
            return float("inf")
        return self._seconds - (time.monotonic() - self._started)

    def fitting(self, wanted: int, seconds_each: float, share: float = 1.0) -> int:
        """How many of `wanted` steps, of `seconds_each`, fit into a share of what is left."""
        if self._seconds is None or not seconds_each:
            return wanted
        return max(0, min(wanted, int(share * self.left / seconds_each)))

    def too_short(self, needed: float) -> JobError:
        """The error to raise where not even the least fits; that would take `needed` seconds."""
        return JobError(
            ErrorCode.TIME_BUDGET_TOO_SHORT,
            f"time_budget_seconds is {self._seconds:g}, and looking once at every photo takes about "
            f"{math.ceil(needed)} seconds here. Raise it or leave it out.",
        )


def plan_views(extractor: Extractor, dataset: Dataset, wanted: int, profile: Profile, budget: Budget) -> int:
    """How many views of each photo there is time for, judged by looking at a few of them.

    Raises JobError `time_budget_too_short` where there is none for one, and as `Extractor.extract` does.
    """
    if budget.left == float("inf"):
        return wanted
    photos = len(dataset.photos)
    started = time.monotonic()
    probed = extractor.probe(dataset, view_names(wanted))
    probing = time.monotonic() - started
    seconds = probing / (probed * wanted) * photos
    # Where there is no time for both, a head on single views comes before fine-tuning.
    most = max(FEATURES_SHARE.values())
    fitting = budget.fitting(wanted, seconds, FEATURES_SHARE[profile]) or budget.fitting(1, seconds, most)
    if not fitting:
        raise budget.too_short(probing + seconds / most)
    return fitting


def train_phases(photos: int, views: int, epochs: int) -> dict[Phase, float]:
    """The phases of the train stage, with the seconds that they took on 2 cores."""
    tuning = 1.0 + 0.0045 * max(photos, 192) * epochs if epochs else 0.0
    return {
        Phase.FEATURES: 0.2 + 0.005 * photos * views,
        Phase.HEAD: 0.3 + min(2.5, 0.0006 * photos * views) + 0.0003 * photos * views,
        Phase.STARTUP: 6.0 if epochs else 0.0,
        Phase.TRIAL: 0.75 * tuning,
        Phase.TUNING: tuning,
    }
