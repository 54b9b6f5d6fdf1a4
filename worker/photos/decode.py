"""Decodes a photo: from the bytes of its file to the pixels for training."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from PIL import ExifTags, Image, PngImagePlugin, UnidentifiedImageError

from worker.photos.colour_profile import LARGEST_PROFILE, in_srgb
from worker.photos.file import too_large
from worker.photos.formats import FORMATS, is_other_image, is_supported
from worker.photos.header import (
    MAX_PIXELS,
    check_frames,
    check_size,
    held_by_jpeg_decoder,
    webp_size,
)
from worker.photos.memory import needed_by_webp, needed_bytes
from worker.photos.unreadable import SkipReason, UnreadablePhoto

SIDE: Final = 224
"""Width and height, in pixels, of a prepared photo."""

PREPARATION: Final[dict[str, object]] = {
    "frame": "first (primary picture of HEIC, first frame of GIF, WebP, AVIF and APNG)",
    "orientation": "upright, as EXIF orientation says (in HEIC and AVIF: as irot and imir say)",
    "colour": "RGB",
    "colour_profile": "converted to sRGB (relative colorimetric); ignored where it is broken",
    "sixteen_bit": "high byte of each value",
    "transparency": "composited on white (255, 255, 255)",
    "width": SIDE,
    "height": SIDE,
    "fit": "stretched to width x height; no cropping, aspect ratio not kept",
    "resize_filter": "bilinear, antialiased (triangle filter widened by the reduction factor)",
    "jpeg_reduced_decoding": f"by 2, 4 or 8 while both sides stay at least {2 * SIDE} pixels",
    "layout": "height, width, channel",
    "dtype": "float32",
    "range": [0, 255],
    "scaling": "inside the graph; feed 0..255",
}
"""The preparation of a photo, for metadata.json: a client must do the same."""


_TRANSPOSE: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Our own limits are stricter; Pillow's also holds for pictures within a file.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
# Pillow refuses PNGs whose profile exceeds this, a megabyte unless told otherwise.
PngImagePlugin.MAX_TEXT_CHUNK = LARGEST_PROFILE


@dataclass(frozen=True)
class OpenPhoto:
    """A decoded photo, upright: `whole` is prepared as in PREPARATION, `detail` is RGB, for crops.

    The shorter side of `detail` is that of the photo, or at least 2 * SIDE pixels; `width` and `height` are
    the upright picture's in the file. `taken` is EXIF's DateTimeOriginal, a dot and SubSecTimeOriginal, unchecked.
    `broken_profile`: it has a colour profile, which could not be read and was ignored.
    """

    whole: Image.Image
    detail: Image.Image
    width: int
    height: int
    taken: str
    broken_profile: bool


Reserve = Callable[[int], None]
"""Called once with the bytes of memory that a photo's pixels will need, before one is decoded; may raise."""


def open_photo(path: Path, data: bytes, reserve: Reserve = lambda needed: None) -> OpenPhoto:
    """Decode the bytes of the file at `path`.

    Raises what `reserve` raises, and:
        UnreadablePhoto: the file is broken, too large or not a photo.
        MemoryError: the machine has too little memory for the photo.
    """
    try:
        return _open(path, data, reserve)
    except (UnreadablePhoto, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise too_large(path, f"{error}") from error
    # A malformed file can make Pillow's plugins raise nearly any exception.
    except Exception as error:
        raise _broken(path, data[:256], error) from error


def _open(path: Path, data: bytes, reserve: Reserve) -> OpenPhoto:
    held_per_pixel = held_by_jpeg_decoder(path, data)
    if canvas := webp_size(data):
        check_size(path, *canvas)
        reserve(needed_by_webp(*canvas, file_bytes=len(data), reduction=_reduction(canvas)))
    with Image.open(BytesIO(data), formats=FORMATS) as image:
        width, height = image.size  # draft mode makes them smaller
        check_size(path, width, height)
        check_frames(path, image)
        _check_mode(path, image)
        if image.format in ("JPEG", "MPO"):
            image.draft(None, (2 * SIDE, 2 * SIDE))
        if not canvas:
            drafted = width * height / (image.width * image.height)
            needed = needed_bytes(
                image,
                file_bytes=len(data),
                held_per_pixel=held_per_pixel * drafted,
                reduction=_reduction(image.size),
            )
            reserve(needed)
        image.load()
        orientation, taken = _read_exif(image)
        coloured, broken_profile = in_srgb(image)
        whole, detail = _shrink(coloured)
    # Turned last, where there are far fewer pixels; the result is the same.
    if (turn := _TRANSPOSE.get(orientation)) is not None:
        whole, detail = whole.transpose(turn), detail.transpose(turn)
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    return OpenPhoto(whole, detail, width, height, taken, broken_profile)


def _check_mode(path: Path, image: Image.Image) -> None:
    """Raises UnreadablePhoto for unsupported pixels."""
    if image.mode in ("F", "LAB"):
        raise UnreadablePhoto(
            SkipReason.UNSUPPORTED,
            f"{path} holds pixels of kind {image.mode}, which are not supported; save it as JPEG or PNG.",
        )


def _reduction(size: tuple[int, int]) -> int:
    """By how much both sides of `detail` are smaller."""
    return max(1, min(size) // (2 * SIDE))


def _read_exif(image: Image.Image) -> tuple[int, str]:
    """The EXIF orientation of a loaded image that is still to be applied, and `taken`; defaults 1 and ""."""
    block, orientation, taken = image.info.get("exif"), 1, ""
    if isinstance(block, bytes) and len(block) <= 1 << 20:  # Pillow makes an object for each number in it
        exif = Image.Exif()
        with suppress(Exception):  # The pixels of a photo with broken EXIF are usable.
            exif.load(block)
            orientation = exif.get(ExifTags.Base.Orientation, 1)
            tags = exif.get_ifd(ExifTags.IFD.Exif)
            taken = f"{tags[ExifTags.Base.DateTimeOriginal]}.{tags.get(ExifTags.Base.SubsecTimeOriginal)}"
    # pillow-heif and Pillow's TIFF plugin have already turned the pixels; XMP is ignored, as in browsers.
    turned = image.format in ("HEIF", "TIFF") or not isinstance(orientation, int)
    return 1 if turned else orientation, taken


def _shrink(image: Image.Image) -> tuple[Image.Image, Image.Image]:
    """`whole` and `detail` of a loaded image, before turning."""
    if image.mode.startswith("I"):
        image = _eight_bit(image)
    mode = "RGBA" if image.has_transparency_data else "RGB"
    plain = image if image.mode == mode else image.convert(mode)
    # Pillow's bilinear filter equals tf.image.resize(antialias=True), and does not ring as Lanczos does.
    whole = plain.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    detail = plain.reduce(_reduction(plain.size))
    return _on_white(whole), _on_white(detail)


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Convert a greyscale image of 16-bit values (modes I;16, I;16B, I) to L, its transparent value to white."""
    values = np.asarray(image)
    grey = (np.clip(values, 0, 0xFFFF) >> 8).astype(np.uint8)
    if isinstance(see_through := image.info.get("transparency"), int):
        grey[values == see_through] = 255
    return Image.fromarray(grey)


def _broken(path: Path, start: bytes, error: Exception) -> UnreadablePhoto:
    """The error for a file that Pillow could not decode; the file's first bytes determine which."""
    if is_supported(start):
        detail = "" if isinstance(error, UnidentifiedImageError) else f" ({type(error).__name__}: {error})"
        text = f"{path} is cut short or damaged{detail}; upload the photo again."
        return UnreadablePhoto(SkipReason.TRUNCATED, text)
    if is_other_image(start):
        text = f"{path} is an image of a kind that is not supported; save it as JPEG or PNG."
        return UnreadablePhoto(SkipReason.UNSUPPORTED, text)
    text = f"{path} is not an image, whatever its name says; put a photo in its place."
    return UnreadablePhoto(SkipReason.NOT_AN_IMAGE, text)
