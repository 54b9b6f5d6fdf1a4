"""A job's time budget, and how many views of each photo it allows."""

import math
import time

from worker.catalogue.dataset import Dataset
from worker.errors import ErrorCode, JobError
from worker.features.extraction import Extractor
from worker.job.options import Profile
from worker.photos.augmentation import view_names
from worker.training.profiles import RECIPES


class Budget:
    """Counts down from when it is made; without `seconds` it never ends."""

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
        """The number of steps, at most `wanted`, of `seconds_each`, that fit into a share of what is left."""
        if self._seconds is None or not seconds_each:
            return wanted
        return max(0, min(wanted, int(share * self.left / seconds_each)))

    def too_short(self, needed: float) -> JobError:
        """The error to raise where not even one view of each photo fits; that would take `needed` seconds."""
        return JobError(
            ErrorCode.TIME_BUDGET_TOO_SHORT,
            f"time_budget_seconds is {self._seconds:g}, and looking once at every photo takes about "
            f"{math.ceil(needed)} seconds here. Raise it or leave it out.",
        )


def plan_views(extractor: Extractor, dataset: Dataset, wanted: int, profile: Profile, budget: Budget) -> int:
    """The number of views of each photo that there is time for, estimated by extracting a few photos.

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
    most = max(recipe.features_share for recipe in RECIPES.values())
    fitting = budget.fitting(wanted, seconds, RECIPES[profile].features_share) or budget.fitting(
        1, seconds, most
    )
    if not fitting:
        raise budget.too_short(probing + seconds / most)
    return fitting
