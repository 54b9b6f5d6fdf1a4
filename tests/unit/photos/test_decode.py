"""Photos of every kind a shop may hold, made here with Pillow, decode to the colours they were made of."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil
import pytest
from PIL import ExifTags, Image

from bench.decode_photo import decode_photo
from tests.support.photo_bytes import decode, encoded
from worker.photos.decode import PREPARATION, SIDE
from worker.photos.unreadable import UnreadablePhoto

Colour = tuple[int, int, int]
RED: Colour = (220, 30, 40)
GREEN: Colour = (20, 160, 60)
BLUE: Colour = (30, 60, 200)
YELLOW: Colour = (240, 210, 20)
QUADRANTS = (RED, GREEN, BLUE, YELLOW)  # top left, top right, bottom left, bottom right

# How a camera held so stores an upright picture: the inverse of what EXIF asks viewers to do.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
SHORT = b"\0\x03\0\0\0\x01\0"  # between an EXIF entry's tag and its value: one 16-bit number


def quadrants(width: int = 320, height: int = 200) -> Image.Image:
    image = Image.new("RGB", (width, height))
    for index, colour in enumerate(QUADRANTS):
        left, top = width // 2 * (index % 2), height // 2 * (index // 2)
        image.paste(colour, (left, top, left + width // 2, top + height // 2))
    return image


def turned(orientation: int) -> tuple[Image.Image, bytes]:
    """The quadrants as stored by a camera that writes this EXIF orientation, and that EXIF."""
    image, exif = quadrants(), Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return (image.transpose(STORED[orientation]) if orientation in STORED else image), exif.tobytes()


def assert_quadrants(photo: npt.NDArray[np.uint8], tolerance: int = 12) -> None:
    for index, colour in enumerate(QUADRANTS):
        assert_colour(photo, colour, tolerance, x=56 + 112 * (index % 2), y=56 + 112 * (index // 2))


def assert_colour(
    photo: npt.NDArray[np.uint8], colour: Colour, tolerance: int = 3, x: int = 112, y: int = 112
) -> None:
    assert photo.shape == (SIDE, SIDE, 3)
    assert photo.dtype == np.uint8
    assert np.abs(photo[y, x].astype(int) - colour).max() <= tolerance, f"{photo[y, x]} at {x},{y}"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "HEIF", "BMP", "TIFF", "MPO"])
def test_formats(tmp_path: Path, kind: str) -> None:
    assert_quadrants(decode(tmp_path, encoded(quadrants(), kind)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path: Path, kind: str, orientation: int) -> None:
    image, exif = turned(orientation)
    assert_quadrants(decode(tmp_path, encoded(image, kind, exif=exif)))


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_exif_orientation_alone_does_not_turn_heic_and_avif(tmp_path: Path, kind: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.PhotometricInterpretation] = 6
    data = encoded(quadrants(), kind, exif=exif)
    misleading = data.replace(b"\x01\x06" + SHORT + b"\x06", b"\x01\x12" + SHORT + b"\x06")
    assert misleading != data
    assert_quadrants(decode(tmp_path, misleading))


def test_heic_turned_by_its_container_and_by_exif_is_turned_once(tmp_path: Path) -> None:
    image, exif = turned(6)
    data = encoded(image, "HEIF", exif=exif)
    assert b"irot" in data
    assert b"\x01\x12" + SHORT + b"\x06" in data
    assert_quadrants(decode(tmp_path, data))


@pytest.mark.parametrize(
    "block", [b"Exif\0\0", b"Exif\0\0MM\0*", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0junk" * 9]
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_broken_exif_does_not_spoil_the_photo(tmp_path: Path, block: bytes) -> None:
    assert_quadrants(decode(tmp_path, encoded(quadrants(), "JPEG", exif=block)))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_first_frame_of_an_animation(tmp_path: Path, kind: str) -> None:
    rest = [Image.new("RGB", (320, 200), "black"), Image.new("RGB", (320, 200), "white")]
    data = encoded(quadrants(), kind, save_all=True, append_images=rest, duration=100)
    assert_quadrants(decode(tmp_path, data))


def test_primary_picture_of_heic(tmp_path: Path) -> None:
    others = [quadrants(), Image.new("RGB", (64, 64), "white")]
    data = encoded(
        Image.new("RGB", (64, 64), "black"), "HEIF", save_all=True, append_images=others, primary_index=1
    )
    assert_quadrants(decode(tmp_path, data))


def test_shrinking_averages_what_it_drops(tmp_path: Path) -> None:
    stripes = np.zeros((1000, 1000, 3), np.uint8)
    stripes[:, ::2] = 255
    photo = decode(tmp_path, encoded(Image.fromarray(stripes), "PNG"))
    assert photo.std() < 8
    assert_colour(photo, (127, 127, 127), tolerance=8)


def test_reduced_decoding_of_large_jpegs_looks_the_same(tmp_path: Path) -> None:
    rows, columns = np.mgrid[0:1900, 0:2600] / 100
    waves = np.stack([np.sin(columns), np.sin(rows), np.cos(rows + columns)], axis=-1)
    image = Image.fromarray((127 + 100 * waves).astype(np.uint8))
    fast = decode(tmp_path, encoded(image, "JPEG", quality=92)).astype(int)
    full = decode(tmp_path, encoded(image, "PNG")).astype(int)
    assert np.abs(fast - full).mean() < 1.5


def test_one_pixel_is_a_photo(tmp_path: Path) -> None:
    assert_colour(decode(tmp_path, encoded(Image.new("RGB", (1, 1), BLUE), "PNG")), BLUE)


def test_many_threads_agree_and_leave_no_file_open(tmp_path: Path) -> None:
    paths = []
    for kind in ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "HEIF"):
        paths.append(tmp_path / kind)
        image, exif = turned(6)
        options = {} if kind == "GIF" else {"exif": exif}
        paths[-1].write_bytes(encoded(image.resize((600, 900)), kind, **options))
    (tmp_path / "broken").write_bytes((tmp_path / "JPEG").read_bytes()[:900])
    alone = [decode_photo(path) for path in paths]
    before = psutil.Process().num_fds()

    def decode_all(_: int) -> list[npt.NDArray[np.uint8]]:
        with pytest.raises(UnreadablePhoto):
            decode_photo(tmp_path / "broken")
        return [decode_photo(path) for path in paths]

    with ThreadPoolExecutor(8) as pool:
        for photos in pool.map(decode_all, range(8)):
            assert all(np.array_equal(one, other) for one, other in zip(alone, photos, strict=True))
    assert psutil.Process().num_fds() == before


def test_recipe_states_the_size_and_range() -> None:
    assert (PREPARATION["width"], PREPARATION["height"], PREPARATION["colour"]) == (SIDE, SIDE, "RGB")
    assert (PREPARATION["dtype"], PREPARATION["range"]) == ("float32", [0, 255])
