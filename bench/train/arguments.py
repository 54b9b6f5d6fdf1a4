"""The command lines of this bench and of the one of honesty."""

import argparse
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from bench.train.backbones import BACKBONES, AskedBackbone, ask_backbone
from bench.train.collection import read_sets
from bench.train.job import OPTIONS
from bench.train.photos import PhotoSet
from bench.train.sides import KINDS

SETS = ("small", "medium", "large")


@dataclass(frozen=True)
class Common:
    """What both command lines have. Models are measured on `split`; `draw` is the number of random sets a size."""

    photos: Path
    weights: Path
    sets: tuple[str, ...]
    split: str
    draw: int
    backbone: str
    profiles: tuple[str, ...]
    json: Path

    @property
    def conditions(self) -> dict[str, object]:
        """What results depend on, apart from the machine."""
        return {"backbone": self.backbone, "split": self.split}

    def read_sets(self) -> list[PhotoSet]:
        """The named sets, each followed by the drawn ones. Raises WrongInput."""
        return read_sets(self.photos, self.split, self.sets, self.draw)

    def ask_backbone(self) -> AskedBackbone:
        """Raises WrongInput."""
        return ask_backbone(self.backbone, self.weights)


@dataclass(frozen=True)
class Arguments(Common):
    """The parsed command line; `scale` has the numbers of photos to measure time and memory with, if any."""

    sides: tuple[str, ...]
    rounds: int
    views: int
    scale: tuple[int, ...]
    plot: Path | None


def parse(description: str) -> Arguments:
    """Parse the command line; exits where it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench.train", description=description)
    add_common(parser, Path("bench-train.json"))
    add = parser.add_argument
    add("--sides", type=names(KINDS), default=KINDS, metavar="NAME,…", help=_some(KINDS))
    add("--rounds", type=_count, default=1, help="number of runs of each side")
    add("--views", type=_count, default=2, help="number of views of a photo for the floor; 2 as in quick")
    add("--scale", type=_counts, default=(), metavar="N,…", help="instead: time and memory of N photos")
    add("--plot", type=Path, metavar="FILE.png", help="where a plot of --scale goes")
    return Arguments(**vars(parser.parse_args()))


def add_common(parser: argparse.ArgumentParser, json: Path) -> None:
    """Add the arguments that Common holds; `json` is where the numbers go by default."""
    add, profiles = parser.add_argument, tuple(OPTIONS)
    add("photos", type=Path, metavar="PHOTOS", help="the folder of photos.csv and of a folder for each split")
    add("weights", type=Path, metavar="WEIGHTS", help="Keras's .h5 of MobileNetV2 without its top")
    add("--sets", type=names(), default=SETS, metavar="SET,…", help="columns of photos.csv")
    add("--split", default="dev", help="the folder of the photos that models are measured on; dev by default")
    add("--draw", type=_count, default=0, metavar="N", help="as well: N random sets of each set's size")
    add("--backbone", choices=BACKBONES, default=BACKBONES[0], help="what the worker trains on")
    add("--profiles", type=names(profiles), default=profiles, metavar="NAME,…", help=_some(profiles))
    add("--json", type=Path, default=json, metavar="FILE", help="where the numbers go")


def names(known: Collection[str] = ()) -> Callable[[str], tuple[str, ...]]:
    """A parser of names separated by commas, which must be among `known`, if given."""

    def read(text: str) -> tuple[str, ...]:
        given = tuple(text.split(","))
        if known and (unknown := [name for name in given if name not in known]):
            raise argparse.ArgumentTypeError(f"{unknown[0]} is not one of {', '.join(known)}")
        return given

    return read


def _some(known: Collection[str]) -> str:
    return f"some of {','.join(known)}; all by default"


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
