"""What was decided about a new model."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """Two models on the same photos, which trained neither, of products that both know.

    `new_accuracy` and `active_accuracy` are the shares of the `photos` whose first guess is right. `p_value` is the
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
    """Whether the new model becomes the active one, and the reason in a sentence.

    `active_version` is the one that was active when this was decided, `None` where there was none; `comparison`
    is `None` where the two were not or could not be compared.
    """

    activate: bool
    reason: str
    active_version: str | None
    comparison: Comparison | None
