"""The bench's training photos: the sets of a collection, whole, without some photos, or repeated."""

import csv
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

JPEG_START = b"\xff\xd8"
COMMENT = b"\xff\xfe"


class WrongInput(Exception):
    """Wrong input from the command line; the message names the file or option and the remedy."""


@dataclass(frozen=True)
class Photo:
    """A photo of the product `sku`. `copy` is 0 for the file itself, from 1 on for copies with different bytes."""

    sku: str
    product: str
    path: Path
    copy: int = 0

    @property
    def file_name(self) -> str:
        return f"{self.copy}-{self.path.name}" if self.copy else self.path.name

    def content(self) -> bytes:
        """The file's bytes; a copy has the same pixels, and a JPEG comment with its number."""
        data = self.path.read_bytes()
        if not self.copy:
            return data
        if not data.startswith(JPEG_START):
            raise WrongInput(f"{self.path} is not a JPEG, and only JPEGs can be repeated: leave it out.")
        text = f"copy {self.copy}".encode()
        length = (len(text) + 2).to_bytes(2, "big")
        return JPEG_START + COMMENT + length + text + data[len(JPEG_START) :]


@dataclass(frozen=True)
class PhotoSet:
    """Named training photos, and the folder of the photos to measure models on."""

    name: str
    photos: tuple[Photo, ...]
    val: Path

    @property
    def products(self) -> int:
        return len({photo.sku for photo in self.photos})

    def hold_back(self, count: int, seed: int) -> tuple["PhotoSet", tuple[Photo, ...]]:
        """Split off `count` photos, of as many products as possible; return the rest and those photos."""
        shuffled = random.Random(seed).sample(self.photos, len(self.photos))
        taken = tuple(_spread(shuffled)[:count])
        return replace(self, photos=tuple(photo for photo in self.photos if photo not in taken)), taken

    def repeated(self, count: int) -> "PhotoSet":
        """`count` photos of all products: the set's own, repeated as often as necessary."""
        endless = cycle(_spread(self.photos))
        photos = (
            replace(photo, copy=index // len(self.photos))
            for index, photo in enumerate(islice(endless, count))
        )
        return replace(self, photos=tuple(photos))

    def link(self, folder: Path) -> Path:
        """Fill `folder` with one folder for each product, with links to the photos."""
        for photo in self.photos:
            (folder / photo.sku).mkdir(parents=True, exist_ok=True)
            (folder / photo.sku / photo.file_name).symlink_to(photo.path)
        return folder


def read_set(folder: Path, name: str | None) -> PhotoSet:
    """Read the photos of the split `train` in the set `name` of photos.csv, or all of the split for `None`.

    Raises WrongInput.
    """
    table = folder / "photos.csv"
    if not table.is_file():
        raise WrongInput(f"{folder} has no photos.csv: name a folder with photos.csv, train/ and val/.")
    if not (folder / "val").is_dir():
        raise WrongInput(f"{folder} has no val/: the models are measured on the photos in it.")
    with table.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    if name is not None and (not rows or name not in rows[0]):
        raise WrongInput(f"{table} has no column {name}: --sets must name columns that hold 0 and 1.")
    photos = tuple(
        Photo(row["sku"], row["name"], (folder / row["file"]).absolute())
        for row in rows
        if name is None or row[name] == "1"
    )
    if missing := [photo.path for photo in photos if not photo.path.is_file()]:
        raise WrongInput(f"{missing[0]} is in {table} but not on the disk: unpack the photos again.")
    if not photos:
        raise WrongInput(f"{table} puts no photo into the set {name}: choose another with --sets.")
    return PhotoSet(name or "all", photos, (folder / "val").absolute())


def _spread(photos: Sequence[Photo]) -> list[Photo]:
    """Every product's first photo, then every product's second one, and so on."""
    seen = Counter[str]()
    ranked: list[tuple[int, Photo]] = []
    for photo in photos:
        ranked.append((seen[photo.sku], photo))
        seen[photo.sku] += 1
    return [photo for _, photo in sorted(ranked, key=lambda ranked_photo: ranked_photo[0])]
