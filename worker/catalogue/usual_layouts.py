"""Where backends usually keep photos: tried on a few rows whose files are not where PHOTO_PATH says."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from worker.catalogue.catalogue_photo import CataloguePhoto
from worker.job.photo_path import PhotoPath

FOLDERS: Final = (
    "products/",
    "photos/",
    "images/",
    "uploads/",
    "media/",
    "images/products/",
    "uploads/products/",
    "media/products/",
    "",
)
NAMES: Final = ("{ProductId}/{FileName}", "{SKU}/{FileName}", "{FileName}")
USUAL: Final = tuple(PhotoPath(folder + name) for folder in FOLDERS for name in NAMES)

SAMPLE: Final = 20
# With fewer of the files in their places, a layout fits by chance.
LEAST_SHARE: Final = 0.5


@dataclass(frozen=True)
class Fitting:
    """A layout by which `found` of `tried` photos have a file of their own."""

    layout: PhotoPath
    found: int
    tried: int


def sample_of(rows: Sequence[CataloguePhoto]) -> tuple[CataloguePhoto, ...]:
    """At most SAMPLE rows, from all over the catalogue."""
    return tuple(rows[:: max(1, len(rows) // SAMPLE)][:SAMPLE])


def fitting_layout(sample: Sequence[CataloguePhoto], storage: Path, now: PhotoPath) -> Fitting | None:
    """The usual layout by which most photos of a sample are found; `None` where none is better than `now`."""
    # `now` comes first: of equals, max takes the first.
    found = {layout: _found(sample, storage, layout) for layout in (now, *USUAL)}
    best = max(found, key=lambda layout: found[layout])
    if best == now or found[best] < LEAST_SHARE * len(sample):
        return None
    return Fitting(best, found[best], len(sample))


def _found(sample: Sequence[CataloguePhoto], storage: Path, layout: PhotoPath) -> int:
    """The number of different files: photos of one name, which no folder tells apart, are one."""
    files = set()
    for path in filter(None, (layout.of(row.columns) for row in sample)):
        with suppress(OSError):
            if (storage / path).is_file():
                files.add(path)
    return len(files)
