"""The command line of the bench."""

import argparse
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from bench.train.job import OPTIONS
from bench.train.sides import KINDS

SETS = ("small", "medium", "large")


@dataclass(frozen=True)
class Arguments:
    """The parsed command line; `scale` has the numbers of photos to measure time and memory with, if any."""

    photos: Path
    weights: Path
    sets: tuple[str, ...]
    profiles: tuple[str, ...]
    sides: tuple[str, ...]
    rounds: int
    views: int
    scale: tuple[int, ...]
    plot: Path | None
    json: Path


def parse(description: str) -> Arguments:
    """Parse the command line; exits where it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench.train", description=description)
    add = parser.add_argument
    add("photos", type=Path, metavar="PHOTOS", help="the folder of photos.csv, train/ and val/")
    add("weights", type=Path, metavar="WEIGHTS", help="Keras's .h5 of MobileNetV2 without its top")
    add("--sets", type=names(), default=SETS, metavar="SET,…", help="columns of photos.csv")
    for name, known in (("profiles", tuple(OPTIONS)), ("sides", KINDS)):
        some = f"some of {','.join(known)}; all by default"
        add(f"--{name}", type=names(known), default=known, metavar="NAME,…", help=some)
    add("--rounds", type=_count, default=1, help="number of runs of each side")
    add("--views", type=_count, default=4, help="number of views of a photo for the floor")
    add("--scale", type=_counts, default=(), metavar="N,…", help="instead: time and memory of N photos")
    add("--plot", type=Path, metavar="FILE.png", help="where a plot of --scale goes")
    add("--json", type=Path, default=Path("bench-train.json"), metavar="FILE", help="where the numbers go")
    return Arguments(**vars(parser.parse_args()))


def names(known: Collection[str] = ()) -> Callable[[str], tuple[str, ...]]:
    """A parser of names separated by commas, which must be among `known`, if given."""

    def read(text: str) -> tuple[str, ...]:
        given = tuple(text.split(","))
        if known and (unknown := [name for name in given if name not in known]):
            raise argparse.ArgumentTypeError(f"{unknown[0]} is not one of {', '.join(known)}")
        return given

    return read


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return count


def _counts(text: str) -> tuple[int, ...]:
    try:
        return tuple(sorted({_count(number) for number in text.split(",")}))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a list of numbers such as 1000,3000") from None
