"""Photos of every kind of pixel, from 1 bit to 16 and from ink to glass, become RGB of the right colour."""

import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.support.photo_bytes import decode, encoded
from worker.photos.decode import SIDE

Colour = tuple[int, int, int]
Paint = int | tuple[int, ...]
RED: Colour = (220, 30, 40)
GREEN: Colour = (20, 160, 60)
BLUE: Colour = (30, 60, 200)


def png(depth: int, kind: int, rows: npt.NDArray[np.int_], **chunks: bytes) -> bytes:
    """A PNG of any bit depth and colour type; rows of shape (height, width, channels), written big-endian."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    height, width = rows.shape[:2]
    data = rows.astype(">u2" if depth == 16 else ">u1")
    lines = b"".join(b"\0" + data[y].tobytes() for y in range(height))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    middle = b"".join(chunk(name.encode(), body) for name, body in chunks.items())
    return b"\x89PNG\r\n\x1a\n" + header + middle + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def assert_colour(photo: npt.NDArray[np.uint8], colour: Colour, tolerance: int = 3, x: int = 112) -> None:
    assert photo.shape == (SIDE, SIDE, 3)
    assert np.abs(photo[112, x].astype(int) - colour).max() <= tolerance, f"{photo[112, x]} at {x}"


@pytest.mark.parametrize(
    ("mode", "colour", "kind", "expected"),
    [
        ("1", 1, "PNG", (255, 255, 255)),
        ("L", 90, "JPEG", (90, 90, 90)),
        ("L", 90, "HEIF", (90, 90, 90)),
        ("LA", (0, 128), "PNG", (127, 127, 127)),
        ("LA", (0, 0), "WEBP", (255, 255, 255)),
        ("RGBA", (255, 0, 0, 51), "PNG", (255, 204, 204)),
        ("RGBA", (255, 0, 0, 51), "WEBP", (255, 204, 204)),
        ("RGBA", (255, 0, 0, 51), "AVIF", (255, 204, 204)),
        ("RGBA", (255, 0, 0, 51), "HEIF", (255, 204, 204)),
        ("RGBA", (0, 0, 0, 0), "PNG", (255, 255, 255)),
        ("CMYK", (0, 255, 255, 0), "JPEG", (255, 0, 0)),
        ("CMYK", (255, 0, 255, 128), "JPEG", (0, 127, 0)),
        ("CMYK", (255, 0, 0, 0), "TIFF", (0, 255, 255)),
        ("YCbCr", (128, 128, 128), "JPEG", (128, 128, 128)),
        ("YCbCr", (76, 85, 255), "TIFF", (254, 0, 0)),
        ("I;16", 0x8000, "PNG", (128, 128, 128)),
        ("I;16", 0x1234, "TIFF", (18, 18, 18)),
        ("I;16B", 0x8000, "TIFF", (128, 128, 128)),
        ("I", 0x4000, "TIFF", (64, 64, 64)),
    ],
)
def test_modes(tmp_path: Path, mode: str, colour: Paint, kind: str, expected: Colour) -> None:
    data = encoded(Image.new(mode, (300, 260), colour), kind)
    assert_colour(decode(tmp_path, data), expected, tolerance=5)


def test_adobe_ycck(tmp_path: Path) -> None:
    stored = (100, 90, 160)
    ink = tuple(255 - value for value in stored)
    data = encoded(Image.new("CMYK", (256, 256), (*ink, 0)), "JPEG", quality=100)
    marker = data.index(b"Adobe") + 11
    data = data[:marker] + b"\x02" + data[marker + 1 :]
    y, blue, red = stored[0], stored[1] - 128, stored[2] - 128
    plain = (y + 1.402 * red, y - 0.344 * blue - 0.714 * red, y + 1.772 * blue)
    expected = tuple(255 - round(value) for value in plain)
    assert_colour(decode(tmp_path, data), (expected[0], expected[1], expected[2]), tolerance=4)


@pytest.mark.parametrize("transparency", [None, 0, b"\x00\xff\xff\xff"])
def test_palettes(tmp_path: Path, transparency: object) -> None:
    image = Image.new("P", (200, 200), 1)
    image.putpalette([0, 0, 0, *RED, *GREEN, *BLUE])
    image.paste(0, (0, 0, 100, 200))
    options = {} if transparency is None else {"transparency": transparency}
    photo = decode(tmp_path, encoded(image, "PNG", **options))
    assert_colour(photo, (0, 0, 0) if transparency is None else (255, 255, 255), x=50)
    assert_colour(photo, RED, x=170)


def test_transparent_gif(tmp_path: Path) -> None:
    image = Image.new("P", (200, 200), 1)
    image.putpalette([0, 0, 0, *RED])
    image.paste(0, (0, 0, 100, 200))
    photo = decode(tmp_path, encoded(image, "GIF", transparency=0))
    assert_colour(photo, (255, 255, 255), x=50)
    assert_colour(photo, RED, x=170)


@pytest.mark.parametrize(
    ("kind", "pixel", "expected"),
    [
        (0, (0xC0FF,), (192, 192, 192)),
        (2, (0xFFFF, 0x8000, 0x0100), (255, 128, 1)),
        (4, (0x0000, 0x8080), (127, 127, 127)),
        (6, (0xFFFF, 0x0000, 0x0000, 0x3333), (255, 204, 204)),
    ],
)
def test_sixteen_bit_png(tmp_path: Path, kind: int, pixel: tuple[int, ...], expected: Colour) -> None:
    rows = np.broadcast_to(np.array(pixel), (230, 240, len(pixel)))
    assert_colour(decode(tmp_path, png(16, kind, rows)), expected, tolerance=2)


def test_sixteen_bit_grey_with_a_transparent_value(tmp_path: Path) -> None:
    rows = np.full((230, 240, 1), 0x0102)
    rows[:, 120:] = 0x8000
    photo = decode(tmp_path, png(16, 0, rows, tRNS=b"\x01\x02"))
    assert_colour(photo, (255, 255, 255), x=50)
    assert_colour(photo, (128, 128, 128), x=170)


def test_edges_of_transparent_photos_are_not_darkened(tmp_path: Path) -> None:
    cells = np.indices((896, 896)).sum(axis=0) % 2
    pixels = np.where(cells[..., None] == 1, (255, 0, 0, 255), (0, 0, 0, 0)).astype(np.uint8)
    photo = decode(tmp_path, encoded(Image.fromarray(pixels), "PNG"))
    assert_colour(photo, (255, 127, 127), tolerance=2)
