"""Reads a collection of photos: the training sets that its photos.csv names, and sets of the same sizes at random.

The split `train` is for training; another split, the withheld photos, is for measuring.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from bench.train.photos import Photo, PhotoSet, WrongInput, spread

TRAIN = "train"


def read_sets(folder: Path, split: str, names: Iterable[str | None], draws: int = 0) -> list[PhotoSet]:
    """Read the sets `names`, each followed by `draws` sets of its size; `None` names all photos for training.

    Models are to be measured on the photos of `split`. Raises WrongInput.
    """
    table = folder / "photos.csv"
    if not table.is_file():
        raise WrongInput(f"{folder} has no photos.csv: name a folder with photos.csv, train/ and {split}/.")
    if split == TRAIN:
        raise WrongInput(f"{TRAIN} is what models are trained on: name another split with --split.")
    if not (folder / split).is_dir():
        raise WrongInput(
            f"{folder} has no {split}/: models are measured on the photos in it. Name another with --split."
        )
    with table.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == TRAIN]
    photos = [Photo(row["sku"], row["name"], (folder / row["file"]).absolute()) for row in rows]
    if missing := [photo.path for photo in photos if not photo.path.is_file()]:
        raise WrongInput(f"{missing[0]} is in {table} but not on the disk: unpack the photos again.")
    sets: list[PhotoSet] = []
    for name in names:
        if name is not None and (not rows or name not in rows[0]):
            raise WrongInput(f"{table} has no column {name}: --sets must name columns that hold 0 and 1.")
        own = tuple(
            photo for photo, row in zip(photos, rows, strict=True) if name is None or row[name] == "1"
        )
        if not own:
            raise WrongInput(f"{table} puts no photo into the set {name}: choose another with --sets.")
        named = PhotoSet(name or "all", own, (folder / split).absolute())
        sets += [named, *(draw_set(named, photos, seed) for seed in range(draws))]
    return sets


def draw_set(like: PhotoSet, photos: Sequence[Photo], seed: int) -> PhotoSet:
    """Draw as many products and photos as `like` has, about equally many of each product.

    Products that the withheld photos show go first. The order of `photos` does not matter, and the same seed draws the
    same set on every machine.
    """
    random = Random(seed)
    by_sku: dict[str, list[Photo]] = defaultdict(list)
    for photo in sorted(photos, key=_name):
        by_sku[photo.sku].append(photo)
    skus = random.sample(list(by_sku), len(by_sku))
    skus.sort(key=lambda sku: not (like.withheld / sku).is_dir())
    shuffled = [
        photo for sku in skus[: like.products] for photo in random.sample(by_sku[sku], len(by_sku[sku]))
    ]
    drawn = spread(shuffled)[: len(like.photos)]
    return replace(like, photos=tuple(sorted(drawn, key=_name)), seed=seed)


def _name(photo: Photo) -> tuple[str, str]:
    return photo.sku, photo.path.name
