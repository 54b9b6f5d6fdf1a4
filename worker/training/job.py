"""What goes into the pipeline and what comes out of it; free of TensorFlow, so that the daemon can say it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from worker.training.options import Options


@dataclass(frozen=True)
class Job:
    """What the pipeline is to do. It writes into `folder`, which is empty; `version` will be its name."""

    job_id: str
    started_at: datetime
    options: Options
    storage: Path
    base_weights: str
    cache: Path
    feature_store_mb: int
    version: str
    folder: Path


@dataclass(frozen=True)
class Accuracy:
    """Shares of held-out photos whose product is the first guess, and among the first three.

    `photos` and `products` say what the shares rest on; both shares are `None` when that is nothing.
    """

    top1: float | None
    top3: float | None
    photos: int
    products: int


@dataclass(frozen=True)
class TrainedModel:
    """What became of a job. Its folder is whole and on the disk, but nobody sees it yet.

    `skipped` counts by reason the photos that were left out.
    """

    accuracy: Accuracy
    photos: int
    products: int
    skipped: dict[str, int]
