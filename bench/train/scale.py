"""Measures how time and memory of one job grow with the number of photos."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table

from bench.train.job import run_job
from bench.train.photos import PhotoSet
from bench.train.sides import Sides

REFERENCE_PHOTOS = 3_000
"""Number of photos of the job whose memory the largest job is compared with."""


@dataclass(frozen=True)
class Point:
    """One cold job; `peak_memory` is in bytes."""

    photos: int
    seconds: float
    peak_memory: int
    stages: dict[str, float]


def measure(sides: Sides, photos: PhotoSet, sizes: Sequence[int], profile: str) -> Iterator[Point]:
    """Run one job for each size, with a new daemon on a new shop. Raises Failed."""
    for size in sizes:
        with sides.shop() as shop:
            shop.add(photos.repeated(size).photos)
            shop.forget_features()
            run = run_job(shop, profile)
        yield Point(size, run.seconds, run.peak_memory, run.stages)


def summary(points: Sequence[Point]) -> dict[str, Any]:
    """The seconds per additional photo between sizes, constant if time is linear, and the growth of memory."""
    more = [
        {
            "from": less.photos,
            "to": point.photos,
            "seconds_per_photo": (point.seconds - less.seconds) / (point.photos - less.photos),
        }
        for less, point in pairwise(points)
    ]
    largest = points[-1]
    reference = next((point for point in points if point.photos == REFERENCE_PHOTOS), points[0])
    return {
        "each_photo_more": more,
        "memory_ratio": largest.peak_memory / reference.peak_memory,
        "memory_ratio_of_photos": [largest.photos, reference.photos],
    }


def table(points: Sequence[Point], profile: str, backbone: str) -> Group:
    """A table of the points, with their summary."""
    shown = Table(title=f"One {profile} job, cold, {backbone}, by number of photos", title_justify="left")
    for heading in ("photos", "seconds", "ms a photo", "ms a photo more", "memory"):
        shown.add_column(heading, justify="right")
    growth = summary(points)
    steps = ["", *(f"{1e3 * step['seconds_per_photo']:.2f}" for step in growth["each_photo_more"])]
    for point, step in zip(points, steps, strict=True):
        each = f"{1e3 * point.seconds / point.photos:.2f}"
        memory = f"{point.peak_memory / 1e9:.2f} GB"
        shown.add_row(f"{point.photos:,}", f"{point.seconds:.1f}", each, step, memory)
    large, small = growth["memory_ratio_of_photos"]
    return Group(
        shown,
        "Time is linear where “ms a photo more” is constant: it does not contain the fixed time of a job.",
        f"Peak memory with {large:,} photos : with {small:,} photos = {growth['memory_ratio']:.2f}",
    )


def plot(points: Sequence[Point], profile: str, backbone: str, file: Path) -> None:
    """Plot the seconds, and the peak memory of the daemon and its descendants, against the number of photos."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (time, memory) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    photos = [point.photos for point in points]
    time.plot(photos, [point.seconds for point in points], "o-")
    time.set_ylabel("seconds from insert to Completed")
    memory.plot(photos, [point.peak_memory / 1e9 for point in points], "o-")
    memory.set_ylabel("peak memory, GB")
    for axes in (time, memory):
        axes.set_xlabel("photos")
        axes.set_xlim(left=0)
        axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.grid(alpha=0.3)
    figure.suptitle(f"One {profile} job, cold, {backbone}")
    figure.savefig(file, dpi=150)
