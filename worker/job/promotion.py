"""The decision whether a new model becomes the active one."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """Two models on the same photos, which neither was trained on, of products that both recognise.

    `new_accuracy` and `active_accuracy` are the models' top-1 accuracies on the `photos`. `p_value` is the
    one-sided p-value of a paired sign-flip test: the probability of a difference at least this bad for the new
    model if both are equally good.
    """

    photos: int
    products: int
    new_accuracy: float
    active_accuracy: float
    p_value: float


@dataclass(frozen=True)
class Promotion:
    """Whether to activate the new model, and the reason in a sentence.

    `active_version` is the active model at the time of the decision, `None` where there was none; `comparison`
    is `None` where the two models were not compared. `products_lost` are the SKUs of products that the active model
    knows and of which no photo could be read.
    """

    activate: bool
    reason: str
    active_version: str | None
    comparison: Comparison | None
    products_lost: tuple[str, ...] = ()
