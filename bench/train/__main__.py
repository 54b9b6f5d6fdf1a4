"""Compares the training job with the plain recipe on the same real photos: `make bench-train`.

PHOTOS holds photos.csv (columns split, sku, name, file and one of 0 and 1 for each set), and a folder for each
split. Models are trained on the split `train` and measured on the photos of another one, which are withheld from them.
It asserts nothing: times depend on the machine.
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from bench.train import report, results, scale
from bench.train.arguments import Arguments, parse
from bench.train.collection import read_sets
from bench.train.conditions import load_average, machine
from bench.train.photos import PhotoSet, WrongInput
from bench.train.script import Failed
from bench.train.sides import Result, Sides
from demo.embedded_postgres import EmbeddedPostgres


def main() -> None:
    """Measure what the command line asks for."""
    given = parse(__doc__ or "")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else report.WIDTH)
    try:
        backbone = given.ask_backbone()
        sets = read_sets(given.photos, given.split, [None]) if given.scale else given.read_sets()
        with tempfile.TemporaryDirectory(prefix="bench-train-") as folder, EmbeddedPostgres() as postgres:
            sides = Sides(postgres, Path(folder), given.weights, backbone, given.views)
            (measure_scale if given.scale else compare)(sides, sets, given, console)
    except (WrongInput, Failed) as error:
        sys.exit(str(error))


def compare(sides: Sides, sets: Sequence[PhotoSet], given: Arguments, console: Console) -> None:
    """Run all sides in turn on each set; print and write the results."""
    conditions = conditions_of(given)
    console.print("Preparing the compiled backbone …")
    sides.prepare(sets[0], given.sides, given.profiles)
    every: list[results.SetResults] = []
    for photos in sets:
        runs: dict[str, list[Result]] = {}
        for round_ in range(given.rounds):
            for name, side in sides.named(given.sides, given.profiles).items():
                result = side(photos, round_)
                runs.setdefault(name, []).append(result)
                console.print(f"{photos.title}, round {round_ + 1}: {name}: {result.seconds:.1f} s")
        every.append(results.SetResults(photos, runs))
        if photos.seed is None:
            report.show(report.tables(every[-1], given.backbone), console)
        # Written after each set, so that a later failure loses no results.
        results.write(every, conditions | {"load_after": load_average()}, given.json)
    for draws in results.draws_of(every):
        report.show(report.drawn_table(draws, given.backbone), console)
    console.print(f"Every value is in {given.json}.")


def measure_scale(sides: Sides, sets: Sequence[PhotoSet], given: Arguments, console: Console) -> None:
    """Run one cold job for each number of photos, with the first given profile."""
    conditions, profile = conditions_of(given), given.profiles[0]
    console.print("Preparing the compiled backbone …")
    sides.prepare(sets[0], ["cold"], [profile])
    points: list[scale.Point] = []
    for point in scale.measure(sides, sets[0], sorted(given.scale), profile):
        points.append(point)
        console.print(f"{point.photos:,} photos: {point.seconds:.1f} s, {point.peak_memory / 1e9:.2f} GB")
        values = {
            "conditions": conditions | {"load_after": load_average()},
            "profile": profile,
            "products": sets[0].products,
            "points": [asdict(point) for point in points],
        }
        results.write_json(values | scale.summary(points), given.json)
    report.show(scale.table(points, profile, given.backbone), console)
    if given.plot:
        scale.plot(points, profile, given.backbone, given.plot)
        console.print(f"The plot is in {given.plot}.")
    console.print(f"Every value is in {given.json}.")


def conditions_of(given: Arguments) -> dict[str, object]:
    """The machine, the versions and what the command line asks for."""
    return machine() | given.conditions | {"rounds": given.rounds, "views": given.views}


if __name__ == "__main__":
    main()
