"""Stage 2: from photo files to pixels, many at once, with never more than a few photos in memory."""

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from worker.training.fetch_photos import Photo, PhotoSet, Product, SkippedPhoto
from worker.training.photo import SIDE, SkipReason, UnreadablePhoto, decode_photo

Pixels = npt.NDArray[np.uint8]
WINDOW = 64


@dataclass(frozen=True)
class Dataset:
    """The decodable photos of a job.

    `pixels` maps a nameless file that goes with this object: uint8 `[photos, 224, 224, 3]`, RGB.
    `labels[i]` is the place in `products` of the product that photo `i` shows.
    """

    pixels: Pixels
    labels: npt.NDArray[np.int64]
    products: tuple[Product, ...]
    skipped: tuple[SkippedPhoto, ...]

    def batches(self, size: int) -> Iterator[Pixels]:
        """The pixels in order, `size` photos at a time."""
        for start in range(0, len(self.labels), size):
            yield self.pixels[start : start + size]


def prepare_dataset(photo_set: PhotoSet, step: Callable[[int], None]) -> Dataset:
    """Decode every photo; `step` is told how many are done.

    Raises JobError as `PhotoSet.require_usable` does, OSError when storage fails.
    """
    photos: list[Photo] = []
    skipped = list(photo_set.skipped)
    with tempfile.TemporaryFile(prefix="worker-pixels-") as file, _decoders() as decoders:
        for done, (photo, outcome) in enumerate(_decode_all(photo_set.photos, decoders), start=1):
            if isinstance(outcome, SkipReason):
                skipped.append(SkippedPhoto(photo.name, outcome))
            else:
                file.write(outcome.tobytes())
                photos.append(photo)
            step(done)
        # Storage that went away in the meantime would otherwise pass for a shop with few photos.
        replace(photo_set, photos=tuple(photos), skipped=tuple(skipped)).require_usable()
        file.flush()
        pixels = np.memmap(file, np.uint8, "r", shape=(len(photos), SIDE, SIDE, 3))
    products = tuple(dict.fromkeys(photo.product for photo in photos))
    place = {product: index for index, product in enumerate(products)}
    labels = np.array([place[photo.product] for photo in photos], np.int64)
    return Dataset(pixels, labels, products, tuple(skipped))


def _decoders() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(len(os.sched_getaffinity(0)), thread_name_prefix="decode")


def _decode_all(
    photos: Sequence[Photo], decoders: ThreadPoolExecutor
) -> Iterator[tuple[Photo, Pixels | SkipReason]]:
    """Yield photos in order with their pixels; at most `WINDOW` of them wait decoded."""
    running: deque[tuple[Photo, Future[Pixels | SkipReason]]] = deque()
    for photo in photos:
        running.append((photo, decoders.submit(_decode, photo)))
        if len(running) == WINDOW:
            first, future = running.popleft()
            yield first, future.result()
    for photo, future in running:
        yield photo, future.result()


def _decode(photo: Photo) -> Pixels | SkipReason:
    try:
        return decode_photo(photo.path)
    except FileNotFoundError:
        return SkipReason.MISSING
    except UnreadablePhoto as error:
        return error.reason
