"""What would cost a decoder all memory or hours is refused by its header; ordinary photos are not."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.support.hostile_photos import (
    TOO_LARGE,
    avif,
    heic,
    jpeg,
    many_frames,
    webp,
    with_fill,
    with_scans,
    with_segments,
)
from tests.support.photo_bytes import decode, encoded
from worker.photos.decode import SIDE, open_photo
from worker.photos.decoders import Decoders
from worker.photos.decoding_limits import MOST_MEMORY
from worker.photos.header import MAX_FRAMES, webp_size
from worker.photos.jpeg_header import MAX_FILL_BYTES, MAX_SCANS, MAX_SEGMENTS, read_jpeg_header
from worker.photos.unreadable import FailedDecoding, SkipReason, UnreadablePhoto


def needed(data: bytes) -> int:
    """The bytes of memory that decoding is to take, by the header alone."""
    found: list[int] = []

    def reserve(memory: int) -> None:
        found.append(memory)
        raise MemoryError  # nothing else gets out

    with pytest.raises(MemoryError):
        open_photo(Path("photo"), data, reserve)
    [memory] = found
    return memory


@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_hostile_file_is_refused_by_its_header(name: str, decoders: Decoders, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(TOO_LARGE[name]())
    with pytest.raises(UnreadablePhoto) as raised:
        decoders.prepare(tmp_path / name, views=["whole"])
    assert raised.value.reason is SkipReason.TOO_LARGE
    assert not isinstance(raised.value, FailedDecoding), "it was not even tried"
    assert str(tmp_path / name) in str(raised.value)


@pytest.mark.parametrize(
    "data",
    [
        with_scans(MAX_SCANS - 20),
        with_segments(MAX_SEGMENTS - 20),
        with_fill(MAX_FILL_BYTES - 20),
        jpeg() + b"a film behind the picture \xff\xda" * 1_000,
        jpeg()[:2] + b"\xff\0junk\xff\xff\xff" + jpeg()[2:],
    ],
    ids=["scans", "segments", "fill", "film", "junk"],
)
def test_a_jpeg_near_a_limit_is_left_to_the_decoder(data: bytes) -> None:
    read_jpeg_header(data)


def test_so_many_frames_are_allowed(tmp_path: Path) -> None:
    # An animated PNG may have its own first picture besides.
    assert decode(tmp_path, many_frames(MAX_FRAMES - 1)).shape == (SIDE, SIDE, 3)


@pytest.mark.parametrize(
    ("data", "held"),
    [
        (jpeg(), 0),
        (jpeg(progressive=True), 3),
        (encoded(Image.new("RGB", (64, 48)), "JPEG", progressive=True, subsampling=0), 6),
        (encoded(Image.new("L", (64, 48)), "JPEG", progressive=True), 2),
        (jpeg(mode="CMYK", progressive=True), 8),
        (b"\xff\xd8\xff", 0),
        (b"\xff\xd8\xff\xc2\0\x0b\x08\0\x01\0\x01\x01\x01\0\0\xff\xda\0\0", 0),
    ],
)
def test_a_jpeg_of_several_scans_is_held_as_coefficients(data: bytes, held: float) -> None:
    assert read_jpeg_header(data).held_per_pixel == held


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_canvas_of_a_webp_is_known_before_it_is_opened(mode: str, lossless: bool) -> None:
    assert webp_size(encoded(Image.new(mode, (321, 123)), "WEBP", lossless=lossless)) == (321, 123)
    assert webp_size(webp(16_383, 12_000)) == (16_383, 12_000)
    assert webp_size(jpeg()) is None


PHONES = {
    "12 MP": (4_032, 3_024),
    "48 MP": (8_064, 6_048),
    "50 MP": (8_160, 6_144),
    "108 MP": (12_000, 9_000),
    "200 MP": (16_320, 12_240),
}


@pytest.mark.parametrize("size", PHONES.values(), ids=PHONES)
def test_jpegs_of_every_phone_fit(size: tuple[int, int]) -> None:
    assert needed(jpeg(*size)) < 128 << 20
    assert needed(jpeg(*size, progressive=True)) < MOST_MEMORY


def test_large_heic_and_webp_fit() -> None:
    assert needed(heic(*PHONES["48 MP"])) < MOST_MEMORY
    assert needed(avif(*PHONES["48 MP"])) < MOST_MEMORY
    assert needed(webp(*PHONES["48 MP"])) < MOST_MEMORY


def test_a_profile_counts() -> None:
    pixels = Image.fromarray(np.zeros((300, 400, 3), np.uint8))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    more = needed(encoded(pixels, "PNG", icc_profile=profile)) - needed(encoded(pixels, "PNG"))
    assert more > 5 * 300 * 400
