"""The bench's training photos: the sets of a collection, whole, without some photos, or repeated."""

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
    """Named training photos, and the folder of the withheld photos, which models are measured on.

    `seed` is that of a set drawn at random, with the size of the set `name`.
    """

    name: str
    photos: tuple[Photo, ...]
    withheld: Path
    seed: int | None = None

    @property
    def title(self) -> str:
        return self.name if self.seed is None else f"{self.name}, drawn with seed {self.seed}"

    @property
    def products(self) -> int:
        return len({photo.sku for photo in self.photos})

    def hold_back(self, count: int, seed: int) -> tuple["PhotoSet", tuple[Photo, ...]]:
        """Split off `count` photos, of as many products as possible; return the rest and those photos."""
        shuffled = random.Random(seed).sample(self.photos, len(self.photos))
        taken = tuple(spread(shuffled)[:count])
        return replace(self, photos=tuple(photo for photo in self.photos if photo not in taken)), taken

    def repeated(self, count: int) -> "PhotoSet":
        """`count` photos of all products: the set's own, repeated as often as necessary."""
        endless = cycle(spread(self.photos))
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


def spread(photos: Sequence[Photo]) -> list[Photo]:
    """Every product's first photo, then every product's second one, and so on."""
    seen = Counter[str]()
    ranked: list[tuple[int, Photo]] = []
    for photo in photos:
        ranked.append((seen[photo.sku], photo))
        seen[photo.sku] += 1
    return [photo for _, photo in sorted(ranked, key=lambda ranked_photo: ranked_photo[0])]
