"""Facts about a photo besides its features, for grouping photos and for advice to the shop."""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from worker.photos.decode import OpenPhoto

AREA: Final = 65_536
"""Number of pixels to which a photo is scaled, its aspect ratio kept, to measure sharpness and brightness.

Nearly every photo has more. The sharpness of a small and a large photo of the same scene differs by at most a
quarter.
"""

HASHED_SIDE: Final = 32
"""Width and height, in pixels, of the resized photo for the perceptual hash."""

HASH_SIDE: Final = 8
"""Width and height of the block of low frequencies; each is one bit of the hash."""

LEAST_CONTRAST: Final = 2.0
"""Standard deviation of the luma (0 to 255) below which noise would determine the hash."""

NO_STRUCTURE: Final = 0
"""The perceptual hash of a photo below LEAST_CONTRAST. No other photo has it: the mean luma sets a bit."""

FIRST_YEAR: Final = 1995
"""The year of the first EXIF; an earlier one comes from a clock that was never set."""

DTYPES: Final = {
    "width": np.int64,
    "height": np.int64,
    "sharpness": np.float64,
    "brightness": np.float64,
    "perceptual_hash": np.uint64,
    "taken_at": np.float64,
    "broken_profile": np.bool_,
}

DEFINITION: Final[dict[str, object]] = {
    "fields": list(DTYPES),
    "luma": f"ITU-R 601-2, bilinear to {AREA} pixels",
    "sharpness": "variance of the Laplacian of 4 neighbours",
    "perceptual_hash": f"DCT, 64 bits of {HASHED_SIDE} x {HASHED_SIDE}, from a contrast of {LEAST_CONTRAST}",
    "taken_at": f"DateTimeOriginal and SubSecTimeOriginal, from {FIRST_YEAR}",
}
"""The definition of facts, a part of their key: with a change, facts are computed again."""

# The lowest rows of the discrete cosine transform, type II.
_WAVES: Final = np.cos(np.pi / HASHED_SIDE * np.outer(np.arange(HASH_SIDE), np.arange(HASHED_SIDE) + 0.5))

_TAKEN: Final = re.compile(
    r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)[\s\0]*\.(\d{1,9})?.*", re.ASCII | re.DOTALL
)


@dataclass(frozen=True)
class PhotoFacts:
    """A photo's size, quality, perceptual hash and capture time.

    `width` and `height` are the upright picture's in the file, in pixels. `brightness` is the mean luma, 0 to 1.

    `sharpness` is the variance of the Laplacian of the luma, in squared levels of 0 to 255 (Pech-Pacheco et al.,
    ICPR 2000), at AREA pixels: 0 for a single colour, hundreds for crisp detail, a tenth of that out of focus.
    It grows with the squared contrast, so compare only photos of similar objects.

    `perceptual_hash` is pHash, 64 bits (Zauner, 2010), or NO_STRUCTURE; `near_copies` compares them.

    `taken_at` is the camera's clock, read as UTC, in seconds since 1970. Compare it only between photos of one
    camera. None where EXIF has no valid time.

    `broken_profile`: its colour profile was ignored, because it could not be read.
    """

    width: int
    height: int
    sharpness: float
    brightness: float
    perceptual_hash: int
    taken_at: float | None
    broken_profile: bool = False


def photo_facts(opened: OpenPhoto) -> PhotoFacts:
    """Measure a decoded photo. Thread-safe."""
    luma = _luma(opened.detail)
    return PhotoFacts(
        width=opened.width,
        height=opened.height,
        sharpness=float(_laplacian(luma).var()),
        brightness=float(luma.mean()) / 255,
        perceptual_hash=_perceptual_hash(opened.whole),
        taken_at=_taken_at(opened.taken),
        broken_profile=opened.broken_profile,
    )


def pack(facts: PhotoFacts) -> dict[str, npt.NDArray[Any]]:
    """Each fact as an array of shape [] with its dtype in DTYPES; an unknown time is NaN."""
    values = asdict(facts) | ({"taken_at": math.nan} if facts.taken_at is None else {})
    return {name: np.array(values[name], dtype) for name, dtype in DTYPES.items()}


def unpack(arrays: Mapping[str, npt.NDArray[Any]]) -> PhotoFacts:
    """The inverse of `pack`."""
    values = {name: arrays[name].item() for name in DTYPES}
    return PhotoFacts(**values | ({"taken_at": None} if math.isnan(values["taken_at"]) else {}))


def _luma(image: Image.Image) -> npt.NDArray[np.float32]:
    scale = math.sqrt(AREA / (image.width * image.height))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return np.array(image.convert("L").resize(size, Image.Resampling.BILINEAR), np.float32)


def _laplacian(luma: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The four neighbours less four times the pixel; a pixel at the border is its own neighbour beyond."""
    padded = np.pad(luma, 1, mode="edge")
    beside = padded[1:-1, :-2] + padded[1:-1, 2:] + padded[:-2, 1:-1] + padded[2:, 1:-1]
    edges: npt.NDArray[np.float32] = beside - 4 * luma
    return edges


def _perceptual_hash(image: Image.Image) -> int:
    small = image.convert("L").resize((HASHED_SIDE, HASHED_SIDE), Image.Resampling.LANCZOS)
    if np.asarray(small).std() < LEAST_CONTRAST:
        return NO_STRUCTURE
    frequencies = _WAVES @ np.asarray(small, np.float64) @ _WAVES.T
    bits = np.packbits(frequencies > np.median(frequencies))
    return int.from_bytes(bits.tobytes())


def _taken_at(taken: str) -> float | None:
    if not (found := _TAKEN.fullmatch(taken)):
        return None
    *clock, fraction = found.groups(default="0")
    try:
        time = datetime(*map(int, clock), tzinfo=UTC)  # type: ignore[arg-type, misc]
    except ValueError:
        return None
    return time.timestamp() + float(f"0.{fraction}") if time.year >= FIRST_YEAR else None
