"""Photos as bytes that would cost a decoder all memory or hours. They take milliseconds to make."""

import struct
import zlib
from collections.abc import Callable
from typing import Final

from PIL import Image

from tests.support.photo_bytes import encoded

WIDTH, HEIGHT = 20_000, 10_000
"""The sides of 200 megapixels."""

_GREY, _RGB, _GREY_ALPHA = 0, 2, 4


def png(width: int, height: int, colour_type: int, pixels: bytes = b"") -> bytes:
    """A PNG whose header says this size; its packed pixels are too few."""
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(pixels)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def line_png() -> bytes:
    """One line of 199,999,999 pixels."""
    return png(199_999_999, 1, _GREY, bytes(1 << 20))


def webp(width: int, height: int) -> bytes:
    """34 bytes that have a decoder allocate two canvases of this size."""
    canvas = b"".join((side - 1).to_bytes(3, "little") for side in (width, height))
    body = b"WEBPVP8X" + struct.pack("<II", 10, 0) + canvas + b"VP8 "
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff(width: int, height: int, mode: str) -> bytes:
    """A TIFF whose header says this size, in one strip that is not there."""
    photometric = {"L": 1, "RGB": 2, "CMYK": 5}[mode]
    samples = len(Image.new(mode, (1, 1)).getbands())
    short, long = 3, 4
    tags = (
        *((256, long, 1, width), (257, long, 1, height), (258, short, 1, 8), (259, short, 1, 1)),
        *((262, short, 1, photometric), (273, long, 1, 8), (277, short, 1, samples), (278, long, 1, height)),
        (279, long, 1, width * height * samples),
    )
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


def jpeg(width: int = 64, height: int = 48, mode: str = "RGB", *, progressive: bool = False) -> bytes:
    """A JPEG whose header says this size; its pixels are those of a smaller one."""
    data = bytearray(encoded(Image.new(mode, (64, 48), "red"), "JPEG", progressive=progressive))
    start = data.index(b"\xff\xc2" if progressive else b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def with_scans(count: int) -> bytes:
    """A progressive JPEG that ends with `count` empty scans: each has a decoder go over all pixels."""
    data = jpeg(8_000, 6_000, progressive=True)
    start = data.rindex(b"\xff\xda")
    header = data[start : start + 2 + int.from_bytes(data[start + 2 : start + 4])]
    return data[:-2] + header * count + data[-2:]


def with_segments(count: int) -> bytes:
    """A JPEG with so many segments of EXIF."""
    data = jpeg()
    return data[:2] + b"\xff\xe1\0\x0aExif\0\0MM" * count + data[2:]


def with_fill(count: int) -> bytes:
    """A JPEG with so many bytes of fill before its first segment."""
    data = jpeg()
    return data[:2] + b"\xff" * count + data[2:]


def avif(width: int, height: int) -> bytes:
    """An AVIF whose container says this size."""
    data = encoded(Image.new("RGB", (64, 48), "red"), "AVIF", speed=10)
    return data.replace(
        b"ispe\0\0\0\0" + struct.pack(">II", 64, 48), b"ispe\0\0\0\0" + struct.pack(">II", width, height)
    )


def heic(width: int, height: int) -> bytes:
    """A HEIC whose container says this size."""
    data = encoded(Image.new("RGB", (64, 64), "red"), "HEIF", quality=10)
    return data.replace(
        b"ispe\0\0\0\0" + struct.pack(">II", 64, 64), b"ispe\0\0\0\0" + struct.pack(">II", width, height)
    )


def many_frames(count: int) -> bytes:
    """An animated PNG whose header says so many frames."""
    data = png(64, 48, _GREY, bytes(65 * 48))
    control = b"acTL" + struct.pack(">II", count, 0)
    return data[:33] + struct.pack(">I", 8) + control + struct.pack(">I", zlib.crc32(control)) + data[33:]


TOO_LARGE: Final[dict[str, Callable[[], bytes]]] = {
    "line.png": line_png,
    "canvas.webp": lambda: webp(16_383, 12_000),
    "scans.jpg": lambda: with_scans(100_000),
    "segments.jpg": lambda: with_segments(500_000),
    "fill.jpg": lambda: with_fill(32 << 20),
    "alpha.png": lambda: png(WIDTH, HEIGHT, _GREY_ALPHA),
    "wide.png": lambda: png(20_001, 1, _RGB),
    "rgb.tiff": lambda: tiff(WIDTH, HEIGHT, "RGB"),
    "cmyk.tiff": lambda: tiff(WIDTH, HEIGHT, "CMYK"),
    "cmyk.jpg": lambda: jpeg(WIDTH, HEIGHT, "CMYK", progressive=True),
    "huge.avif": lambda: avif(WIDTH, HEIGHT),
    "huge.heic": lambda: heic(WIDTH, HEIGHT),
    "frames.png": lambda: many_frames(1_001),
}
"""Files that cost a training all its memory or its time, by name; each is to be refused by its header."""
