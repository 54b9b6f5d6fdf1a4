"""Means over training sets, and how sure they are. All functions here are pure."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

Value = float | None


@dataclass(frozen=True)
class Mean:
    """The mean of `count` values, their standard `deviation`, and the mean's standard `error`; `None` for one value."""

    mean: float
    deviation: float | None
    error: float | None
    count: int

    def text(self, scale: float = 1, places: int = 1) -> str:
        """The mean and its standard error, both times `scale`."""
        error = "" if self.error is None else f" ± {scale * self.error:.{places}f}"
        return f"{scale * self.mean:.{places}f}{error}"


def mean_of(values: Iterable[Value]) -> Mean | None:
    """The mean of the known values; `None` where there are none."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    deviation = statistics.stdev(known) if len(known) > 1 else None
    error = None if deviation is None else deviation / math.sqrt(len(known))
    return Mean(statistics.fmean(known), deviation, error, len(known))


def mean_difference(values: Iterable[Value], others: Iterable[Value]) -> Mean | None:
    """The mean of the paired differences, values minus others; pairs that are not complete are left out."""
    return mean_of(
        None if value is None or other is None else value - other
        for value, other in zip(values, others, strict=True)
    )
