"""Photos small enough to stand in the report by the dozen."""

from io import BytesIO
from typing import Final

from PIL import Image

from worker.photos.decode import OpenPhoto

LONGER_SIDE: Final = 160
"""Width or height, in pixels, of a thumbnail, whichever is larger."""

MAX_BYTES: Final = 8_000
QUALITIES: Final = (75, 60, 45, 30, 15)


def thumbnail(opened: OpenPhoto) -> bytes:
    """The whole photo as a JPEG of `LONGER_SIDE`, its aspect ratio kept, without metadata.

    Under `MAX_BYTES`, at the best quality for which it is.
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
    # Pillow copies the profile and the EXIF of the image that it saves.
    small.info.clear()
    return small


def _jpeg(image: Image.Image, quality: int) -> bytes:
    data = BytesIO()
    image.save(data, "JPEG", quality=quality, optimize=True)
    return data.getvalue()
