"""The output of the pipeline."""

from dataclasses import dataclass
from typing import Final

from worker.job.advice import Advice
from worker.job.promotion import Promotion

BY_PRODUCT_LEFT_OUT: Final = "by_product_left_out"
"""A key that the metrics of every model have, by which the worker knows the rows that it wrote."""


@dataclass(frozen=True)
class TrainedModel:
    """A model whose folder is complete and synced to the disk, but not yet published.

    `accuracy_metrics` is JSON of at most 2,000 characters. `photos` and `products` are the numbers of those in
    training. `skipped` is the number of skipped photos by reason. `promotion` is the decision against the active
    model that it names.
    """

    accuracy_metrics: str
    photos: int
    products: int
    skipped: dict[str, int]
    promotion: Promotion
    advice: tuple[Advice, ...]


@dataclass(frozen=True)
class Unchanged:
    """There was nothing to train: the active model `version` was trained with the same photos and options."""

    version: str
