"""Finds the photo files of the catalogue's rows, and checks that there are enough of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from worker.catalogue.catalogue_photo import CataloguePhoto
from worker.catalogue.storage import fault_of
from worker.catalogue.usual_layouts import fitting_layout, sample_of
from worker.errors import ErrorCode, JobError
from worker.job.photo_path import LONGEST_NAME, PhotoPath
from worker.limits import MAX_MISSING_SHARE, MIN_PHOTOS, MIN_PRODUCTS
from worker.photos.file import is_of_one_file
from worker.photos.unreadable import SkipReason
from worker.texts import clean

# Largest number of files that a message names.
NAMED = 5
# Folder in the storage with photos that show none of the products.
NEGATIVES = "negatives"
DEFAULT = PhotoPath()


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
    """A photo that cannot be used; `photo` is its path below the storage, for messages."""

    photo: str
    reason: SkipReason
    product: Product = NO_PRODUCT


@dataclass(frozen=True)
class PhotoSet:
    """The photos of a job in the catalogue's order, and the skipped ones.

    `listed` are the products of all of them: of some, no photo may be usable. `sample` are a few of the rows, whose
    files were looked for by `layout`.
    """

    storage: Path
    photos: tuple[Photo, ...]
    skipped: tuple[SkippedPhoto, ...]
    listed: frozenset[Product] = frozenset()
    sample: tuple[CataloguePhoto, ...] = field(default=(), compare=False)
    layout: PhotoPath = DEFAULT
    min_photos: int = MIN_PHOTOS
    min_products: int = MIN_PRODUCTS

    def require_usable(self) -> None:
        """Raise JobError `storage_unavailable` when the storage itself cannot be reached, `storage_incomplete` when
        more than MAX_MISSING_SHARE of the files are missing, `insufficient_photos` when training needs more photos or
        products than are left."""
        if self.skipped and (fault := fault_of(self.storage, self.layout.folder)):
            raise JobError(
                ErrorCode.STORAGE_UNAVAILABLE,
                f"The photos below STORAGE_PATH {self.storage} cannot be reached: {fault}. "
                + (self._layout_that_fits() or "Is it mounted, and may the worker read it?"),
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
                f"{len(missing)} of {total} photo files are missing below {self.storage}: {_named(missing)}. "
                + (
                    self._layout_that_fits()
                    or "The folder is there: is it the one that the backend writes to, are all its files in it, and "
                    f"do they lie as PHOTO_PATH says, {self.layout.template}?"
                ),
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

    def _layout_that_fits(self) -> str:
        """What to set, where the photos lie in another usual way; or ""."""
        fitting = fitting_layout(self.sample, self.storage, self.layout)
        if fitting is None:
            return ""
        return (
            f"They lie elsewhere in it: set PHOTO_PATH={fitting.layout.template}, by which {fitting.found} of "
            f"{fitting.tried} photos that were tried are found."
        )


def fetch_photos(catalogue: Sequence[CataloguePhoto], storage: Path, layout: PhotoPath = DEFAULT) -> PhotoSet:
    """Find each photo below `storage` as `layout` says.

    Raises JobError as `PhotoSet.require_usable` does.
    """
    photo_set = _find(catalogue, storage, layout)
    photo_set.require_usable()
    return photo_set


def fetch_negatives(
    catalogue: Sequence[CataloguePhoto], storage: Path, layout: PhotoPath = DEFAULT
) -> PhotoSet:
    """Find the negatives, photos that show none of the products: those of `catalogue`, and the files below
    `storage/negatives`. There may be none.

    Raises JobError `storage_incomplete` as `PhotoSet.require_usable` does, OSError when storage fails.
    """
    found = _find(catalogue, storage, layout)
    photos = [replace(photo, product=NO_PRODUCT) for photo in found.photos]
    skipped = list(found.skipped)
    for path in sorted((storage / NEGATIVES).rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            name = path.relative_to(storage).as_posix()
            if name.isprintable():
                photos.append(Photo(path, name, NO_PRODUCT))
            else:
                skipped.append(SkippedPhoto(clean(name), SkipReason.UNSAFE_NAME))
    negatives = replace(
        found,
        photos=tuple(photos),
        skipped=tuple(skipped),
        listed=frozenset(),
        min_photos=0,
        min_products=0,
    )
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


def _find(catalogue: Sequence[CataloguePhoto], storage: Path, layout: PhotoPath) -> PhotoSet:
    photos: list[Photo] = []
    skipped: list[SkippedPhoto] = []
    listed: set[Product] = set()
    for row in catalogue:
        shown = layout.shown(row.columns)
        product = NO_PRODUCT
        if row.sku is not None:
            # Also where its name is NULL: the active model may know it.
            product = Product(row.product_id, row.sku, row.sku if row.name is None else row.name)
            listed.add(product)
        if row.sku is None or row.name is None or not layout.is_complete(row.columns):
            skipped.append(SkippedPhoto(shown, SkipReason.INCOMPLETE_ROW, product))
            continue
        relative = layout.of(row.columns)
        if relative is None:
            skipped.append(SkippedPhoto(shown, SkipReason.UNSAFE_NAME, product))
        elif reason := _fault_of(storage / relative):
            skipped.append(SkippedPhoto(shown, reason, product))
        else:
            photos.append(Photo(storage / relative, shown, product))
    return PhotoSet(storage, tuple(photos), tuple(skipped), frozenset(listed), sample_of(catalogue), layout)


def _fault_of(path: Path) -> SkipReason | None:
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
