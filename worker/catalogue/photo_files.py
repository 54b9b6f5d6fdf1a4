"""Finds the photo files of the catalogue's rows, and checks that there are enough of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from worker.catalogue.storage import PRODUCTS, fault_of
from worker.errors import ErrorCode, JobError
from worker.limits import MAX_MISSING_SHARE, MIN_PHOTOS, MIN_PRODUCTS
from worker.photos.file import is_of_one_file
from worker.photos.unreadable import SkipReason
from worker.texts import clean

# Largest number of files that a message names.
NAMED = 5
# Most bytes of a file's name in Linux.
LONGEST_NAME = 255
# Folder in the storage with photos that show none of the products.
NEGATIVES = "negatives"


@dataclass(frozen=True)
class CataloguePhoto:
    """A row of the catalogue: one photo of one active product. A backend's columns may be NULL."""

    product_id: str
    sku: str | None
    name: str | None
    file_name: str | None


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
        unreadable = [photo.photo for photo in self.skipped if photo.reason is SkipReason.UNREADABLE]
        if len(unreadable) > MAX_MISSING_SHARE * total:
            raise JobError(
                ErrorCode.STORAGE_UNAVAILABLE,
                f"{len(unreadable)} of {total} photo files below {self.storage} cannot be read by the worker: "
                f"{_named(unreadable)}. Give its user the right to read them, or mend the disk.",
            )
        if len(missing) > MAX_MISSING_SHARE * total:
            raise JobError(
                ErrorCode.STORAGE_INCOMPLETE,
                f"{len(missing)} of {total} photo files are missing below {self.storage}: {_named(missing)}. The "
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
    photos = [replace(photo, product=NO_PRODUCT) for photo in found.photos]
    skipped = list(found.skipped)
    for path in sorted((storage / NEGATIVES).rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            name = path.relative_to(storage).as_posix()
            if name.isprintable():
                photos.append(Photo(path, name, NO_PRODUCT))
            else:
                skipped.append(SkippedPhoto(clean(name), SkipReason.UNSAFE_NAME))
    negatives = PhotoSet(storage, tuple(photos), tuple(skipped), min_photos=0, min_products=0)
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
            f'"Options" is wrong: negatives: no active product with photos has the SKU {_named(unknown)}. '
            "Correct it and insert a new job.",
        )
    named = set(negatives)
    return [row for row in catalogue if row.sku not in named], [row for row in catalogue if row.sku in named]


def _find(catalogue: Sequence[CataloguePhoto], storage: Path) -> PhotoSet:
    photos: list[Photo] = []
    skipped: list[SkippedPhoto] = []
    listed: set[Product] = set()
    for row in catalogue:
        relative = PurePosixPath(PRODUCTS, row.product_id, "NULL" if row.file_name is None else row.file_name)
        if row.sku is not None:
            # Also where its name is NULL: the active model may know it.
            listed.add(Product(row.product_id, row.sku, row.sku if row.name is None else row.name))
        if row.sku is None or row.name is None or row.file_name is None:
            skipped.append(SkippedPhoto(str(relative), SkipReason.INCOMPLETE_ROW))
            continue
        product = Product(row.product_id, row.sku, row.name)
        if reason := _fault_of(row.file_name, storage / relative):
            skipped.append(SkippedPhoto(str(relative), reason))
        else:
            photos.append(Photo(storage / relative, str(relative), product))
    return PhotoSet(storage, tuple(photos), tuple(skipped), frozenset(listed))


def _fault_of(file_name: str, path: Path) -> SkipReason | None:
    if file_name in ("", ".", "..") or "/" in file_name or "\0" in file_name:
        return SkipReason.UNSAFE_NAME
    if len(file_name.encode()) > LONGEST_NAME:
        return SkipReason.UNSAFE_NAME
    try:
        return None if path.is_file() else SkipReason.MISSING
    except OSError as error:
        if not is_of_one_file(error):
            raise
        return SkipReason.UNREADABLE


def _named(names: Sequence[str]) -> str:
    """The first of many names, of bounded length."""
    return ", ".join(clean(name, LONGEST_NAME) for name in names[:NAMED]) + (
        ", …" if len(names) > NAMED else ""
    )
