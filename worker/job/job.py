"""The input of the pipeline."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from worker.job.options import Options
from worker.job.photo_path import DEFAULT_TEMPLATE

IMAGENET: Final = "imagenet"
RANDOM: Final = "random"
"""The values of BASE_WEIGHTS that are no path."""


@dataclass(frozen=True)
class ActiveModel:
    """The model that is active when a job is claimed, and the folder with its files."""

    version: str
    folder: Path


@dataclass(frozen=True)
class Job:
    """A job for the pipeline. It writes to `folder`, which is empty and will be published as `version`.

    A new model whose accuracy is lower than the `active` one's by more than `promote_tolerance` (a share, 0 to 1)
    does not replace it. `photo_path` is PHOTO_PATH, `memory_mb` is CHILD_MEMORY_MB.
    """

    job_id: str
    started_at: datetime
    options: Options
    storage: Path
    backbone: str
    base_weights: str
    cache: Path
    feature_store_mb: int
    version: str
    folder: Path
    active: ActiveModel | None
    promote_tolerance: float
    photo_path: str = DEFAULT_TEMPLATE
    memory_mb: int | None = None
