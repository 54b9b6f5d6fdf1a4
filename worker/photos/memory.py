"""The memory that decoding a photo takes, by its header. Measured for each format and mode, and rounded up."""

from typing import Final

from PIL import Image

BY_FORMAT: Final = {"AVIF": 14, "HEIF": 12, "TIFF": 9, "WEBP": 17}
"""Bytes for each pixel while it is decoded, the decoder's own frames, canvases and strips included."""

BY_MODE: Final = {
    **dict.fromkeys(("1", "L", "P"), 6),
    **dict.fromkeys(("RGB", "RGBX"), 5),
    **dict.fromkeys(("I;16", "I;16B", "RGBA", "CMYK"), 9),
    **dict.fromkeys(("I", "LA", "PA"), 13),
}
"""Bytes for each decoded pixel while it is converted."""

OTHER_MODES: Final = 13

PROFILE: Final = 5
"""Bytes for each pixel that a colour profile adds to that."""

DETAIL: Final = 17
"""Bytes for each pixel of the reduced picture that crops are cut from."""

FIXED: Final = 16 << 20


def needed_bytes(image: Image.Image, *, file_bytes: int, held_per_pixel: float, reduction: int) -> int:
    """The most that decoding an opened image takes, its file included.

    `held_per_pixel` bytes for each pixel of the file are held by the decoder. `reduction` divides both sides of the
    reduced picture.
    """
    pixels = image.width * image.height
    converting = BY_MODE.get(image.mode, OTHER_MODES) + (PROFILE if image.info.get("icc_profile") else 0)
    by_pixel = max(converting, BY_FORMAT.get(image.format or "", 0))
    return FIXED + 2 * file_bytes + int(pixels * (by_pixel + held_per_pixel + DETAIL / reduction**2))


def needed_by_webp(width: int, height: int, *, file_bytes: int, reduction: int) -> int:
    """The same for a WebP that is still to be opened, which already takes most of it."""
    return FIXED + 2 * file_bytes + int(width * height * (BY_FORMAT["WEBP"] + DETAIL / reduction**2))
