"""Compares the metrics that a model reports with those measured on withheld photos: `make bench-honesty`.

PHOTOS holds photos.csv (columns split, sku, name, file and one of 0 and 1 for each set), and a folder for each
split. Models are trained on the split `train` and measured on the photos of another one, which are withheld from them.
It asserts nothing.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from bench.honesty import draws, report
from bench.honesty.scenes import draw_scenes
from bench.honesty.trial import Trial
from bench.train.arguments import Common, add_common
from bench.train.backbones import AskedBackbone
from bench.train.conditions import load_average, machine
from bench.train.job import run_job
from bench.train.photos import PhotoSet, WrongInput
from bench.train.report import WIDTH, show
from bench.train.script import Failed, run_script
from bench.train.shop import Shop
from demo.embedded_postgres import EmbeddedPostgres


def parse() -> Common:
    """Parse the command line; exits where it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench.honesty", description=__doc__)
    add_common(parser, Path("bench-honesty.json"))
    return Common(**vars(parser.parse_args()))


def main() -> None:
    """Train and measure every model that the command line asks for."""
    given = parse()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    trials: list[Trial] = []
    try:
        backbone, sets = given.ask_backbone(), given.read_sets()
        conditions = machine() | given.conditions
        console.print(report.LEGEND)
        for trial in try_all(sets, given.profiles, backbone):
            trials.append(trial)
            if trial.seed is None:
                show(report.table(trial), console)
            else:
                console.print(f"{trial.set}, {trial.profile}: the set drawn with seed {trial.seed} is tried.")
            # Written after each model, so that a later failure loses no results.
            report.write(trials, conditions | {"load_after": load_average()}, given.json)
    except (WrongInput, Failed) as error:
        sys.exit(str(error))
    for drawn in draws.draws_of(trials):
        show(draws.table(drawn), console)
    console.print(f"Every value is in {given.json}.")


def try_all(sets: Sequence[PhotoSet], profiles: Sequence[str], backbone: AskedBackbone) -> Iterator[Trial]:
    """Train a model for each set and profile, by a new daemon on a new shop, and measure it. Raises Failed."""
    with tempfile.TemporaryDirectory(prefix="bench-honesty-") as folder, EmbeddedPostgres() as postgres:
        scenes, cache = Path(folder, "scenes"), Path(folder, "cache")
        draw_scenes(scenes)
        for photos in sets:
            for profile in profiles:
                shop_folder = Path(folder, f"{photos.title}-{profile}")
                with Shop(postgres, shop_folder, backbone, cache) as shop:
                    shop.add(photos.photos)
                    model = run_job(shop, profile).model
                    answer = run_script("bench.honesty.model", model, photos.withheld, scenes).answer
                yield Trial(
                    set=photos.name,
                    seed=photos.seed,
                    split=photos.withheld.name,
                    backbone=backbone.name,
                    profile=profile,
                    products=photos.products,
                    photos=len(photos.photos),
                    **answer,
                )


if __name__ == "__main__":
    main()
