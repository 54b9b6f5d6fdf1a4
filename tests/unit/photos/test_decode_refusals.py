"""What is no photo, or a broken or huge one, is refused with a reason; trouble of the storage is not."""

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image, ImageFile

from bench.decode_photo import decode_photo
from tests.support.photo_bytes import encoded
from worker.photos.decode import SIDE
from worker.photos.unreadable import SkipReason, UnreadablePhoto

FORMATS = ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "HEIF", "BMP", "TIFF"]

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def refusal(folder: Path, data: bytes) -> SkipReason:
    path = folder / "photo"
    path.write_bytes(data)
    with pytest.raises(UnreadablePhoto) as caught:
        decode_photo(path)
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith(".")
    return caught.value.reason


@pytest.mark.parametrize("kind", FORMATS)
def test_truncated(tmp_path: Path, kind: str) -> None:
    data = encoded(noise(200, 200), kind)
    for part in (0.03, 0.5, 0.9):
        assert refusal(tmp_path, data[: int(len(data) * part)]) is SkipReason.TRUNCATED, part
        assert not ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize("kind", FORMATS)
def test_damage_is_refused_or_survived(tmp_path: Path, kind: str) -> None:
    random = np.random.default_rng(2)
    data = encoded(noise(64, 48), kind)
    for _ in range(60):
        damaged = bytearray(data)
        for place in random.integers(0, len(data), 6):
            damaged[place] = random.integers(0, 256)
        (tmp_path / "photo").write_bytes(damaged)
        try:
            assert decode_photo(tmp_path / "photo").shape == (SIDE, SIDE, 3)
        except UnreadablePhoto as refused:
            assert refused.reason in SkipReason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", SkipReason.EMPTY_FILE),
        (b"Dear shop, the photos follow tomorrow.\n" * 9, SkipReason.NOT_AN_IMAGE),
        (b"BMW, Audi and Fiat: see the price list\n" * 9, SkipReason.NOT_AN_IMAGE),
        (b"PK\x03\x04\x14\0\0\0\x08\0" + bytes(300), SkipReason.NOT_AN_IMAGE),
        (b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41" + bytes(300), SkipReason.NOT_AN_IMAGE),
        (b"<!doctype html><title>404</title>", SkipReason.NOT_AN_IMAGE),
        (b"8BPS\0\1" + bytes(300), SkipReason.UNSUPPORTED),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', SkipReason.UNSUPPORTED),
        (encoded(Image.new("RGB", (9, 9)), "ICO"), SkipReason.UNSUPPORTED),
        (encoded(Image.new("F", (9, 9)), "TIFF"), SkipReason.UNSUPPORTED),
        (encoded(Image.new("LAB", (9, 9)), "TIFF"), SkipReason.UNSUPPORTED),
    ],
)
def test_what_is_no_photo(tmp_path: Path, data: bytes, reason: SkipReason) -> None:
    assert refusal(tmp_path, data) is reason


def huge_png() -> bytes:
    data = bytearray(encoded(noise(1, 1), "PNG"))
    data[16:24] = struct.pack(">II", 20_000, 15_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def huge_jpeg() -> bytes:
    data = bytearray(encoded(noise(64, 48), "JPEG"))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = b"\xff\xff\xff\xff"
    return bytes(data)


def huge_webp() -> bytes:
    body = b"WEBPVP8X" + struct.pack("<II", 10, 0) + b"\xff\xff\xff" + b"\xf0\0\0"
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("make", [huge_png, huge_jpeg, huge_webp])
def test_huge_dimensions_are_refused_before_decoding(tmp_path: Path, make: Callable[[], bytes]) -> None:
    before = psutil.Process().memory_info().rss
    assert refusal(tmp_path, make()) is SkipReason.TOO_LARGE
    assert psutil.Process().memory_info().rss - before < 100_000_000


def test_huge_files_are_refused_before_reading(tmp_path: Path) -> None:
    path = tmp_path / "photo"
    with path.open("wb") as file:
        file.truncate(300 * 1024 * 1024)
    with pytest.raises(UnreadablePhoto) as caught:
        decode_photo(path)
    assert caught.value.reason is SkipReason.TOO_LARGE


def test_storage_trouble_is_not_blamed_on_the_photo(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        decode_photo(tmp_path / "gone.jpg")
    with pytest.raises(IsADirectoryError):
        decode_photo(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(OSError, match="symbolic links"):
        decode_photo(tmp_path / "loop")


@pytest.mark.timeout(10)
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadablePhoto) as caught:
        decode_photo(tmp_path / "pipe")
    assert caught.value.reason is SkipReason.NOT_AN_IMAGE
