"""The sides of the comparison: the worker, cold and warm, and what it is compared with.

The plain recipe and nearest neighbour always run Keras's MobileNetV2; the others run the backbone that is asked for.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench.train.backbones import AskedBackbone
from bench.train.job import JobRun, run_job
from bench.train.photos import PhotoSet
from bench.train.script import run_script
from bench.train.shop import Shop
from demo.embedded_postgres import EmbeddedPostgres

NEW_PHOTOS = 10
NEW_PHOTOS_SEED = 0
# Number of photos of the job that only fills the cache.
PREPARING_PHOTOS = 30
PLAIN, NEAREST, PROBE, FLOOR = "plain recipe", "nearest neighbour", "linear probe", "floor"
# Threads of OpenBLAS that wait for a busy core take ten times as long as one: the probe has a process for each core.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
KINDS = ("cold", "warm", "plain", "nearest", "probe", "floor")


@dataclass(frozen=True)
class Result:
    """One run of a side on a set; `peak_memory` is in bytes, `measured` is on the withheld photos.

    `reported` is the accuracy that the side itself reports.
    """

    seconds: float
    peak_memory: int
    measured: Mapping[str, Any] = field(default_factory=dict)
    reported: Mapping[str, Any] = field(default_factory=dict)
    stages: Mapping[str, float] = field(default_factory=dict)


Side = Callable[[PhotoSet, int], Result]
"""Runs a side on a set, in the round with the given number."""


class Sides:
    """Runs sides, each in new processes on a new shop; `folder` holds the files that they share."""

    def __init__(
        self, postgres: EmbeddedPostgres, folder: Path, weights: Path, backbone: AskedBackbone, views: int
    ) -> None:
        """`weights` are those of Keras's MobileNetV2; `views` are the floor's."""
        self._postgres = postgres
        self._folder = folder
        self._weights = weights.absolute()
        self._backbone = backbone
        self._cache = folder / "cache"
        self._views = views

    def named(self, kinds: Sequence[str], profiles: Sequence[str]) -> dict[str, Side]:
        """The sides of these kinds, in the order of their turns."""
        jobs = {"cold": self._cold, "warm": self._warm}
        sides: dict[str, Side] = {
            f"{profile}, {kind}": partial(job, profile)
            for kind, job in jobs.items()
            for profile in profiles
            if kind in kinds
        }
        others = {
            "plain": (PLAIN, self._plain),
            "nearest": (NEAREST, self._nearest),
            "probe": (PROBE, self._probe),
            "floor": (FLOOR, self._floor),
        }
        return sides | dict(others[kind] for kind in others if kind in kinds)

    def prepare(self, photos: PhotoSet, kinds: Sequence[str], profiles: Sequence[str]) -> None:
        """Fill the cache once, as a container image would, for example with the backbone. Raises Failed."""
        if {"cold", "warm", "probe", "floor"} & set(kinds):
            for profile in profiles:
                with self.shop() as shop:
                    shop.add(photos.repeated(PREPARING_PHOTOS).photos)
                    run_job(shop, profile)

    def shop(self) -> Shop:
        """A new shop with the shared cache."""
        folder = Path(tempfile.mkdtemp(dir=self._folder)) / "shop"
        return Shop(self._postgres, folder, self._backbone, self._cache)

    def _cold(self, profile: str, photos: PhotoSet, _: int) -> Result:
        with self.shop() as shop:
            shop.add(photos.photos)
            shop.forget_features()
            return _measured(run_job(shop, profile), photos.withheld)

    def _warm(self, profile: str, photos: PhotoSet, _: int) -> Result:
        known, new = photos.hold_back(NEW_PHOTOS, NEW_PHOTOS_SEED)
        with self.shop() as shop:
            shop.add(known.photos)
            shop.forget_features()
            run_job(shop, profile)
            shop.add(new)
            return _measured(run_job(shop, profile), photos.withheld)

    def _plain(self, photos: PhotoSet, round_: int) -> Result:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            linked, model = photos.link(Path(folder, "photos")), Path(folder, "model")
            run = run_script("bench.train.plain_recipe", linked, self._weights, model, round_)
            measured = run_script("bench.measure", model, photos.withheld).answer
        return Result(run.seconds, run.peak_memory, measured, run.answer["reported"])

    def _nearest(self, photos: PhotoSet, _: int) -> Result:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            linked = photos.link(Path(folder, "photos"))
            run = run_script("bench.train.nearest_neighbour", linked, photos.withheld, self._weights)
        return Result(run.answer["seconds"], run.peak_memory, run.answer["measured"])

    def _probe(self, photos: PhotoSet, _: int) -> Result:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            linked, backbone = photos.link(Path(folder, "photos")), self._backbone
            asked = (backbone.name, backbone.base_weights, self._cache)
            run = run_script("bench.train.probe", linked, photos.withheld, *asked, environment=ONE_THREAD)
        answer = run.answer
        return Result(answer["seconds"], run.peak_memory, answer["measured"], answer["reported"])

    def _floor(self, photos: PhotoSet, _: int) -> Result:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            linked, backbone = photos.link(Path(folder, "photos")), self._backbone
            asked = (backbone.name, backbone.base_weights, self._cache)
            run = run_script("bench.train.floor", linked, *asked, self._views)
        return Result(run.answer["seconds"], run.peak_memory)


def _measured(run: JobRun, withheld: Path) -> Result:
    measured = run_script("bench.measure", run.model, withheld).answer
    return Result(run.seconds, run.peak_memory, measured, run.reported, run.stages)
