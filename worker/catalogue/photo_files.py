"""Finds the photo files of the catalogue's rows, and checks that there are enough of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from worker.catalogue.storage import PRODUCTS, fault_of
from worker.errors import ErrorCode, JobError
from worker.limits import MAX_MISSING_SHARE, MIN_PHOTOS, MIN_PRODUCTS
from worker.photos.unreadable import SkipReason

# Largest number of files that a message names.
NAMED = 5
# Folder in the storage with photos that show none of the products.
NEGATIVES = "negatives"


@dataclass(frozen=True)
class CataloguePhoto:
    """A row of the catalogue: one photo of one active product."""

    product_id: str
    sku: str
    name: str
    file_name: str


@dataclass(frozen=True)
class Product:
    """A product with at least one photo; its index among the products is the index of the model's output for it."""

    product_id: str
    sku: str
    name: str


NO_PRODUCT = Product("", "", "")
"""The product of a negative: a photo that shows none of the products."""


@dataclass(frozen=True)
class Photo:
    """A photo's file, its path below the storage as its `name` in messages, and its product."""

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
    """The photos of a job in the catalogue's order, and the skipped ones.

    `listed` are the products of all of them: of some, no photo may be usable.
    """

    storage: Path
    photos: tuple[Photo, ...]
    skipped: tuple[SkippedPhoto, ...]
    listed: frozenset[Product] = frozenset()
    min_photos: int = MIN_PHOTOS
    min_products: int = MIN_PRODUCTS

    def require_usable(self) -> None:
        """Raise JobError `storage_unavailable` when the storage itself cannot be reached, `storage_incomplete` when
        more than MAX_MISSING_SHARE of the files are missing, `insufficient_photos` when training needs more photos or
        products than are left."""
        if self.skipped and (fault := fault_of(self.storage)):
            raise JobError(
                ErrorCode.STORAGE_UNAVAILABLE,
                f"The photos below STORAGE_PATH {self.storage} cannot be reached: {fault}. Is it mounted, and may the "
                "worker read it?",
            )
        missing = [photo.photo for photo in self.skipped if photo.reason is SkipReason.MISSING]
        total = len(self.photos) + len(self.skipped)
        if len(missing) > MAX_MISSING_SHARE * total:
            named = ", ".join(missing[:NAMED]) + (", …" if len(missing) > NAMED else "")
            raise JobError(
                ErrorCode.STORAGE_INCOMPLETE,
                f"{len(missing)} of {total} photo files are missing below {self.storage}: {named}. The "
                "folder is there: is it the one that the backend writes to, and are all its files in it?",
            )
        products = len({photo.product for photo in self.photos})
        if len(self.photos) < self.min_photos or products < self.min_products:
            left_out = f" ({len(self.skipped)} more could not be used)" if self.skipped else ""
            raise JobError(
                ErrorCode.INSUFFICIENT_PHOTOS,
                f"There are {len(self.photos)} usable photos of {products} active products{left_out}; training "
                f"needs at least {self.min_photos} photos of at least {self.min_products} products. Add photos and "
                "insert a new job.",
            )


def fetch_photos(catalogue: Sequence[CataloguePhoto], storage: Path) -> PhotoSet:
    """Find each photo at `storage/products/<product id>/<file name>`.

    Raises JobError as `PhotoSet.require_usable` does.
    """
    photo_set = _find(catalogue, storage)
    photo_set.require_usable()
    return photo_set


def fetch_negatives(catalogue: Sequence[CataloguePhoto], storage: Path) -> PhotoSet:
    """Find the negatives, photos that show none of the products: those of `catalogue`, and the files below
    `storage/negatives`. There may be none.

    Raises JobError `storage_incomplete` as `PhotoSet.require_usable` does, OSError when storage fails.
    """
    found = _find(catalogue, storage)
    folder = storage / NEGATIVES
    others = [
        Photo(path, path.relative_to(storage).as_posix(), NO_PRODUCT)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    ]
    photos = tuple(replace(photo, product=NO_PRODUCT) for photo in found.photos)
    negatives = PhotoSet(storage, (*photos, *others), found.skipped, min_photos=0, min_products=0)
    negatives.require_usable()
    return negatives


def split_catalogue(
    catalogue: Sequence[CataloguePhoto], negatives: Sequence[str]
) -> tuple[list[CataloguePhoto], list[CataloguePhoto]]:
    """Split the rows into those of products to recognise, and those of products whose SKU is in `negatives`.

    Raises JobError `invalid_options` for a SKU that no active product with a photo has.
    """
    unknown = sorted(set(negatives) - {row.sku for row in catalogue})
    if unknown:
        raise JobError(
            ErrorCode.INVALID_OPTIONS,
            f'"Options" is wrong: negatives: no active product with photos has the SKU {", ".join(unknown)}. '
            "Correct it and insert a new job.",
        )
    named = set(negatives)
    return [row for row in catalogue if row.sku not in named], [row for row in catalogue if row.sku in named]


def _find(catalogue: Sequence[CataloguePhoto], storage: Path) -> PhotoSet:
    photos: list[Photo] = []
    skipped: list[SkippedPhoto] = []
    for row in catalogue:
        relative = PurePosixPath(PRODUCTS, row.product_id, row.file_name)
        path = storage / relative
        if row.file_name in ("", ".", "..") or "/" in row.file_name or "\0" in row.file_name:
            skipped.append(SkippedPhoto(str(relative), SkipReason.UNSAFE_NAME))
        elif path.is_file():
            photos.append(Photo(path, str(relative), Product(row.product_id, row.sku, row.name)))
        else:
            skipped.append(SkippedPhoto(str(relative), SkipReason.MISSING))
    listed = frozenset(Product(row.product_id, row.sku, row.name) for row in catalogue)
    return PhotoSet(storage, tuple(photos), tuple(skipped), listed)
