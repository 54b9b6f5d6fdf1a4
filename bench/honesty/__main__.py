"""Compares the metrics that a model reports with those measured on unseen photos: `make bench-honesty`.

PHOTOS holds photos.csv (columns split, sku, name, file and one of 0 and 1 for each set), train/ and val/.
Models are trained on the split `train` and measured on val/. It asserts nothing.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bench.honesty import report
from bench.honesty.scenes import draw_scenes
from bench.train.arguments import SETS, names
from bench.train.conditions import load_average, machine
from bench.train.job import OPTIONS, run_job
from bench.train.photos import PhotoSet, WrongInput, read_set
from bench.train.report import WIDTH, show
from bench.train.script import Failed, run_script
from bench.train.shop import Shop
from demo.embedded_postgres import EmbeddedPostgres


@dataclass(frozen=True)
class Arguments:
    """The parsed command line."""

    photos: Path
    weights: Path
    sets: tuple[str, ...]
    profiles: tuple[str, ...]
    json: Path


def parse() -> Arguments:
    """Parse the command line; exits where it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench.honesty", description=__doc__)
    add = parser.add_argument
    add("photos", type=Path, metavar="PHOTOS", help="the folder of photos.csv, train/ and val/")
    add("weights", type=Path, metavar="WEIGHTS", help="Keras's .h5 of MobileNetV2 without its top")
    add("--sets", type=names(), default=SETS, metavar="SET,…", help="columns of photos.csv")
    some = f"some of {','.join(OPTIONS)}; all by default"
    add("--profiles", type=names(tuple(OPTIONS)), default=tuple(OPTIONS), metavar="NAME,…", help=some)
    add("--json", type=Path, default=Path("bench-honesty.json"), metavar="FILE", help="where the numbers go")
    return Arguments(**vars(parser.parse_args()))


def main() -> None:
    """Train and measure every model that the command line asks for."""
    given = parse()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    trials: list[report.Trial] = []
    try:
        if not given.weights.is_file():
            raise WrongInput(f"{given.weights} is not a file: name the Keras .h5 of MobileNetV2 without top.")
        sets = [read_set(given.photos, name) for name in given.sets]
        conditions = machine()
        console.print(report.LEGEND)
        for trial in try_all(sets, given):
            trials.append(trial)
            show(report.table(trial), console)
            # Written after each model, so that a later failure loses no results.
            report.write(trials, conditions | {"load_after": load_average()}, given.json)
    except (WrongInput, Failed) as error:
        sys.exit(str(error))
    console.print(f"Every value is in {given.json}.")


def try_all(sets: list[PhotoSet], given: Arguments) -> Iterator[report.Trial]:
    """Train a model for each set and profile, by a new daemon on a new shop, and measure it. Raises Failed."""
    with tempfile.TemporaryDirectory(prefix="bench-honesty-") as folder, EmbeddedPostgres() as postgres:
        scenes, cache = Path(folder, "scenes"), Path(folder, "cache")
        draw_scenes(scenes)
        for photos in sets:
            for profile in given.profiles:
                shop_folder = Path(folder, f"{photos.name}-{profile}")
                with Shop(postgres, shop_folder, given.weights, cache) as shop:
                    shop.add(photos.photos)
                    model = run_job(shop, profile).model
                    answer = run_script("bench.honesty.model", model, photos.val, scenes).answer
                yield report.Trial(photos.name, profile, photos.products, len(photos.photos), **answer)


if __name__ == "__main__":
    main()
