"""A model that was tried: what it says of itself, and what was found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Trial:
    """One model: trained on `photos` of the set's `products`; what it `reported`, and what was `measured` on `split`.

    `seed` is that of a drawn set, `None` for a named one.
    """

    set: str
    seed: int | None
    split: str
    backbone: str
    profile: str
    products: int
    photos: int
    reported: Mapping[str, Any]
    measured: Mapping[str, Any]

    @property
    def top1_difference(self) -> float | None:
        """Measured minus reported top-1, in percentage points."""
        return points(self.reported["top1"], self.measured["top1"])

    @property
    def top1_within(self) -> bool | None:
        """Whether the measured top-1 is within the reported interval."""
        low, found, high = self.reported["top1_low"], self.measured["top1"], self.reported["top1_high"]
        return None if None in (low, found) else bool(low <= found <= high)


def points(says: float | None, found: float | None) -> float | None:
    """Found minus said, in percentage points."""
    return None if says is None or found is None else round(100 * (found - says), 2)
