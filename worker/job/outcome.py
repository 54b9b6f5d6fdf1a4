"""What comes out of the pipeline."""

from dataclasses import dataclass

from worker.job.advice import Advice
from worker.job.promotion import Promotion


@dataclass(frozen=True)
class TrainedModel:
    """A model whose folder is whole and on the disk, but which nobody sees yet.

    `accuracy_metrics` is JSON, at most 2,000 characters. `photos` and `products` are numbers of those that trained
    it. `skipped` counts by reason the photos that were left out. `promotion` was decided against the model that it
    names as active.
    """

    accuracy_metrics: str
    photos: int
    products: int
    skipped: dict[str, int]
    promotion: Promotion
    advice: tuple[Advice, ...]


@dataclass(frozen=True)
class Unchanged:
    """There was nothing to train: the active model `version` was made of the same photos and options."""

    version: str
