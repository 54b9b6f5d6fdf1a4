"""Stage 1: from the catalogue's rows to the photo files that are there."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from worker.errors import ErrorCode, JobError
from worker.training.photo import SkipReason

MIN_PHOTOS = 10
MIN_PRODUCTS = 2
MAX_MISSING = 0.1
NAMED = 5


@dataclass(frozen=True)
class CataloguePhoto:
    """One photo of one active product, as the catalogue has it."""

    product_id: str
    sku: str
    name: str
    file_name: str


@dataclass(frozen=True)
class Product:
    """A product with at least one photo; its place in a tuple of products is its output of the model."""

    product_id: str
    sku: str
    name: str


@dataclass(frozen=True)
class Photo:
    """A photo's file, its path below the storage for people, and the product that it shows."""

    path: Path
    name: str
    product: Product


@dataclass(frozen=True)
class SkippedPhoto:
    """A photo that cannot be used; `photo` is its path below the storage."""

    photo: str
    reason: SkipReason


@dataclass(frozen=True)
class PhotoSet:
    """The photos of a job in the catalogue's order, and those left out."""

    storage: Path
    photos: tuple[Photo, ...]
    skipped: tuple[SkippedPhoto, ...]

    def require_usable(self) -> None:
        """Raise JobError `storage_incomplete` when more than 10% of the files are missing, or
        `insufficient_photos` when fewer than 10 photos or 2 products are left."""
        missing = [photo.photo for photo in self.skipped if photo.reason is SkipReason.MISSING]
        total = len(self.photos) + len(self.skipped)
        if len(missing) > MAX_MISSING * total:
            named = ", ".join(missing[:NAMED]) + (", …" if len(missing) > NAMED else "")
            raise JobError(
                ErrorCode.STORAGE_INCOMPLETE,
                f"{len(missing)} of {total} photo files are missing below {self.storage}: {named}. Most likely "
                f"STORAGE_PATH is not the folder that the backend writes to, or is not mounted.",
            )
        products = len({photo.product for photo in self.photos})
        if len(self.photos) < MIN_PHOTOS or products < MIN_PRODUCTS:
            left_out = f" ({len(self.skipped)} more could not be used)" if self.skipped else ""
            raise JobError(
                ErrorCode.INSUFFICIENT_PHOTOS,
                f"There are {len(self.photos)} usable photos of {products} active products{left_out}; training "
                f"needs at least {MIN_PHOTOS} photos of at least {MIN_PRODUCTS} products. Add photos and insert "
                f"a new job.",
            )


def fetch_photos(catalogue: Sequence[CataloguePhoto], storage: Path) -> PhotoSet:
    """Find each photo at `storage/products/<product id>/<file name>`.

    Raises JobError as `PhotoSet.require_usable` does.
    """
    photos: list[Photo] = []
    skipped: list[SkippedPhoto] = []
    for row in catalogue:
        relative = PurePosixPath("products", row.product_id, row.file_name)
        path = storage / relative
        if row.file_name in ("", ".", "..") or "/" in row.file_name or "\0" in row.file_name:
            skipped.append(SkippedPhoto(str(relative), SkipReason.UNSAFE_NAME))
        elif path.is_file():
            photos.append(Photo(path, str(relative), Product(row.product_id, row.sku, row.name)))
        else:
            skipped.append(SkippedPhoto(str(relative), SkipReason.MISSING))
    photo_set = PhotoSet(storage, tuple(photos), tuple(skipped))
    photo_set.require_usable()
    return photo_set
