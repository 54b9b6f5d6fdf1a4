"""What goes into the pipeline and what comes out of it; free of TensorFlow, so that the daemon can say it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from worker.job.advice import Advice
from worker.job.options import Options
from worker.job.promotion import Promotion


@dataclass(frozen=True)
class ActiveModel:
    """The model that is active when a job is claimed, and the folder with its files."""

    version: str
    folder: Path


@dataclass(frozen=True)
class Job:
    """What the pipeline is to do. It writes into `folder`, which is empty; `version` will be its name.

    A new model that is worse than the `active` one by more than `promote_tolerance` does not take its place.
    """

    job_id: str
    started_at: datetime
    options: Options
    storage: Path
    base_weights: str
    cache: Path
    feature_store_mb: int
    version: str
    folder: Path
    active: ActiveModel | None
    promote_tolerance: float


@dataclass(frozen=True)
class TrainedModel:
    """What became of a job. Its folder is whole and on the disk, but nobody sees it yet.

    `accuracy_metrics` is JSON, at most 2,000 characters. `skipped` counts by reason the photos that were left
    out. `promotion` was decided against the model that it names as active.
    """

    accuracy_metrics: str
    photos: int
    products: int
    skipped: dict[str, int]
    promotion: Promotion
    advice: tuple[Advice, ...]


@dataclass(frozen=True)
class Unchanged:
    """There was nothing to train: the active model `version` came of the same photos and options."""

    version: str
