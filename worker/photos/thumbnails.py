"""Makes small JPEGs of photos for the report."""

from io import BytesIO
from typing import Final

from PIL import Image

from worker.photos.decode import OpenPhoto

LONGER_SIDE: Final = 160
"""The larger of a thumbnail's width and height, in pixels."""

MAX_BYTES: Final = 8_000
QUALITIES: Final = (75, 60, 45, 30, 15)


def thumbnail(opened: OpenPhoto) -> bytes:
    """Return the whole photo as a JPEG of `LONGER_SIDE`, its aspect ratio kept, without metadata.

    Uses the best of `QUALITIES` at which it is below `MAX_BYTES`.
    """
    small = _shrunk(opened.detail)
    return next(
        (data for data in (_jpeg(small, quality) for quality in QUALITIES) if len(data) < MAX_BYTES),
        _jpeg(small.reduce(2), QUALITIES[-1]),
    )


def _shrunk(image: Image.Image) -> Image.Image:
    factor = LONGER_SIDE / max(image.size)
    width, height = (max(1, round(side * factor)) for side in image.size)
    small = image.resize((width, height), Image.Resampling.BILINEAR)
    # Pillow would save the image's colour profile and EXIF.
    small.info.clear()
    return small


def _jpeg(image: Image.Image, quality: int) -> bytes:
    data = BytesIO()
    image.save(data, "JPEG", quality=quality, optimize=True)
    return data.getvalue()
