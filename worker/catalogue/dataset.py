"""The photos of a job, each read once and identified by its content."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from worker.arrays import Labels
from worker.catalogue.photo_files import Photo, PhotoSet, Product, SkippedPhoto
from worker.cores import usable_cores
from worker.photos.file import photo_sha256
from worker.photos.unreadable import SkipReason, UnreadablePhoto


@dataclass(frozen=True)
class Dataset:
    """The photos of a job, ordered by SKU and content, independent of the catalogue's order, and the skipped ones."""

    photo_set: PhotoSet
    sha256: tuple[str, ...]

    @property
    def photos(self) -> tuple[Photo, ...]:
        return self.photo_set.photos

    @property
    def skipped(self) -> tuple[SkippedPhoto, ...]:
        return self.photo_set.skipped

    @property
    def products(self) -> tuple[Product, ...]:
        return tuple(dict.fromkeys(photo.product for photo in self.photos))

    @property
    def labels(self) -> Labels:
        """`labels[i]` is the index in `products` of photo `i`'s product."""
        index_of = {product: index for index, product in enumerate(self.products)}
        return np.array([index_of[photo.product] for photo in self.photos], np.int64)

    def in_order(self) -> "Dataset":
        """Return the dataset sorted by SKU, content and name."""
        rows = sorted(
            zip(self.photos, self.sha256, strict=True),
            key=lambda row: (row[0].product.sku, row[1], row[0].name),
        )
        photo_set = replace(self.photo_set, photos=tuple(photo for photo, _ in rows))
        return Dataset(photo_set, tuple(digest for _, digest in rows))

    def without(self, unusable: Mapping[int, SkipReason]) -> "Dataset":
        """Return the dataset without the photos at these indices. Raises JobError as `PhotoSet.require_usable`."""
        kept = [index for index in range(len(self.photos)) if index not in unusable]
        skipped = [
            SkippedPhoto(self.photos[index].name, reason, self.photos[index].product)
            for index, reason in unusable.items()
        ]
        photo_set = replace(
            self.photo_set,
            photos=tuple(self.photos[index] for index in kept),
            skipped=(*self.skipped, *skipped),
        )
        # If the storage has become unavailable, the job must fail instead of training on the few photos left.
        photo_set.require_usable()
        return Dataset(photo_set, tuple(self.sha256[index] for index in kept))


def prepare_dataset(photo_set: PhotoSet, step: Callable[[int], None]) -> Dataset:
    """Read and hash every photo; call `step` with the number of photos done.

    Raises JobError as `PhotoSet.require_usable` does, OSError when storage fails.
    """
    digests: list[str] = []
    unusable: dict[int, SkipReason] = {}
    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="read") as readers:
        for index, outcome in enumerate(readers.map(_digest, photo_set.photos)):
            if isinstance(outcome, SkipReason):
                unusable[index] = outcome
            digests.append(outcome)
            step(index + 1)
    return Dataset(photo_set, tuple(digests)).without(unusable).in_order()


def _digest(photo: Photo) -> str | SkipReason:
    try:
        return photo_sha256(photo.path)
    except FileNotFoundError:
        return SkipReason.MISSING
    except UnreadablePhoto as error:
        return error.reason
