"""Time and memory of one job against the number of photos, and whether they grow as they should."""

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
"""The largest job's memory is compared with that of a job of so many photos."""


@dataclass(frozen=True)
class Point:
    """One cold job; `peak_memory` is in bytes."""

    photos: int
    seconds: float
    peak_memory: int
    stages: dict[str, float]


def measure(sides: Sides, photos: PhotoSet, sizes: Sequence[int], profile: str) -> Iterator[Point]:
    """A job a size, each by a fresh daemon on a fresh shop. Raises Failed."""
    for size in sizes:
        with sides.shop() as shop:
            shop.add(photos.repeated(size).photos)
            shop.forget_features()
            run = run_job(shop, profile)
        yield Point(size, run.seconds, run.peak_memory, run.stages)


def summary(points: Sequence[Point]) -> dict[str, Any]:
    """Whether time is linear: the seconds that each photo more took; and how memory grew."""
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


def table(points: Sequence[Point], profile: str) -> Group:
    """The points and what they say."""
    shown = Table(title=f"One {profile} job, cold, by number of photos", title_justify="left")
    for heading in ("photos", "seconds", "ms a photo", "ms a photo more", "memory"):
        shown.add_column(heading, justify="right")
    said = summary(points)
    steps = ["", *(f"{1e3 * step['seconds_per_photo']:.2f}" for step in said["each_photo_more"])]
    for point, step in zip(points, steps, strict=True):
        each = f"{1e3 * point.seconds / point.photos:.2f}"
        memory = f"{point.peak_memory / 1e9:.2f} GB"
        shown.add_row(f"{point.photos:,}", f"{point.seconds:.1f}", each, step, memory)
    large, small = said["memory_ratio_of_photos"]
    return Group(
        shown,
        "Time is linear where “ms a photo more” stays the same: what every job takes cancels out there.",
        f"Peak memory with {large:,} photos : with {small:,} photos = {said['memory_ratio']:.2f}",
    )


def plot(points: Sequence[Point], profile: str, file: Path) -> None:
    """Draw seconds, and peak memory of the daemon and all below it, against photos."""
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
    figure.suptitle(f"One {profile} job, cold")
    figure.savefig(file, dpi=150)
