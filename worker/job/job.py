"""What goes into the pipeline."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from worker.job.options import Options


@dataclass(frozen=True)
class ActiveModel:
    """The model that is active when a job is claimed, and the folder with its files."""

    version: str
    folder: Path


@dataclass(frozen=True)
class Job:
    """What the pipeline is to do. It writes into `folder`, which is empty; `version` will be its name.

    A new model that is worse than the `active` one by more than `promote_tolerance`, a share of the photos, does
    not take its place.
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
