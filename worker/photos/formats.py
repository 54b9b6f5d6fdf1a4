"""The supported image formats, and their detection by a file's first bytes."""

import warnings
from typing import Final

import pillow_heif
from PIL import AvifImagePlugin, Image, features

FORMATS: Final = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "BMP", "TIFF")  # MPO opens as JPEG
"""Pillow's names of the supported formats."""

_STARTS: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
_BRANDS: Final = (b"avif", b"avis", b"mif1", b"msf1", b"heic", b"heix", b"heim", b"heis", b"hevc")
_OTHER_STARTS: Final = (
    *(b"\xff\x0a", b"\0\0\0\x0cJXL ", b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"8BPS"),
    *(b"II+\0", b"MM\0+", b"\0\0\1\0", b"%!PS", b"qoif", b"<svg"),
)

# Photos are already decoded in parallel, so that a decoder's own threads would only compete.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
pillow_heif.register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)
# Pillow imports its plugins at first use; here, before any threads start.
Image.init()
# Pillow warns of every fault in EXIF and TIFF tags; faults of the pixels raise exceptions.
warnings.filterwarnings("ignore", module=r"PIL\.")


def is_supported(start: bytes) -> bool:
    """Whether a file with these first bytes claims to be of one of FORMATS."""
    is_webp = start[:4] == b"RIFF" and start[8:12] == b"WEBP"
    is_heif_or_avif = start[4:8] == b"ftyp" and start[8:12] in _BRANDS
    is_bmp = start[:2] == b"BM" and start[15:18] == b"\0\0\0"
    return is_webp or is_heif_or_avif or is_bmp or start.startswith(_STARTS)


def is_other_image(start: bytes) -> bool:
    """Whether a file with these first bytes is an image of an unsupported format."""
    return start.startswith(_OTHER_STARTS) or b"<svg" in start


def decoder_versions() -> dict[str, str | None]:
    """The versions of the libraries that decode photos, by name."""
    names = ("pil", "jpg", "libjpeg_turbo", "zlib", "zlib_ng", "webp", "avif", "libtiff", "littlecms2")
    by_pillow = {name: features.version(name) for name in names}
    return by_pillow | {"pillow_heif": pillow_heif.__version__, "libheif": pillow_heif.libheif_version()}
