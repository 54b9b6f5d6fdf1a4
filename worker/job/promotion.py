"""What was decided about a new model; free of NumPy, so that the daemon can say it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """Two models on the same photos, which trained neither, of products that both know.

    `new` and `active`: shares of the `photos` whose first guess is right. `chance`: how likely a difference
    this bad for the new one is when both are equally good.
    """

    photos: int
    products: int
    new: float
    active: float
    chance: float


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
