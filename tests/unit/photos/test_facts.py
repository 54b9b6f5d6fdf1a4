"""What is measured of a photo says the same of the same thing, however it was saved, and tells good from bad."""

import struct
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageEnhance, ImageFilter
from scipy import ndimage

from demo.draw_catalogue import draw_photo
from demo.drawn_products import PRODUCTS
from worker.photos.decode import open_photo
from worker.photos.facts import NO_STRUCTURE, PhotoFacts, pack, photo_facts, unpack

NOON = 1714564800.0  # 2024-05-01 12:00:00, were the camera's clock UTC


def saved(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def facts_of(data: bytes) -> PhotoFacts:
    return photo_facts(open_photo(Path("photo"), data))


@cache
def scene(number: int = 0, longer: int = 480) -> Image.Image:
    """A product before a wall, with a patch of fine print: detail that is crisp at every size."""
    image = draw_photo(PRODUCTS[number], np.random.default_rng([3, number]))
    image = image.resize((longer, longer * 3 // 4), Image.Resampling.LANCZOS)
    print_ = np.random.default_rng(number).integers(0, 2, (60, 80), np.uint8) * 255
    crisp = Image.fromarray(print_).resize((longer // 2, longer * 3 // 8), Image.Resampling.NEAREST)
    image.paste(crisp, (longer // 4, longer // 5))
    return image


def exif(taken: object, fraction: object = None, orientation: int = 1) -> bytes:
    block = Image.Exif()
    block[ExifTags.Base.Orientation] = orientation
    block.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (48.0, 12.0, 30.0)
    photo = block.get_ifd(ExifTags.IFD.Exif)
    photo[ExifTags.Base.DateTimeOriginal] = taken
    if fraction is not None:
        photo[ExifTags.Base.SubsecTimeOriginal] = fraction
    return block.tobytes()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 7, 8])
def test_width_and_height_are_those_of_the_upright_picture(kind: str, orientation: int) -> None:
    small = scene(longer=160)
    facts = facts_of(saved(small, kind, exif=exif("2024:05:01 12:00:00", None, orientation)))
    assert (facts.width, facts.height) == ((120, 160) if orientation >= 5 else (160, 120))
    assert facts.taken_at == NOON


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_turned_tiff_is_upright_and_has_no_time(orientation: int) -> None:
    block = Image.Exif()
    block[ExifTags.Base.Orientation] = orientation
    facts = facts_of(saved(scene(), "TIFF", exif=block))
    assert (facts.width, facts.height) == ((360, 480) if orientation == 6 else (480, 360))
    assert facts.taken_at is None


def test_a_large_jpeg_is_as_large_as_its_file_says_though_it_is_decoded_smaller() -> None:
    facts = facts_of(saved(Image.new("RGB", (4000, 3000), "grey"), exif=exif("", None, 8)))
    assert (facts.width, facts.height) == (3000, 4000)
    tiny = facts_of(saved(Image.new("RGB", (1, 2)), "PNG"))
    assert (tiny.width, tiny.height, tiny.sharpness, tiny.brightness) == (1, 2, 0, 0)


@pytest.mark.parametrize(("width", "height"), [(3, 2500), (2500, 3)])
def test_the_thinnest_photo_has_facts(width: int, height: int) -> None:
    facts = facts_of(saved(Image.new("RGB", (width, height), "white"), "PNG"))
    assert (facts.width, facts.height, facts.sharpness, facts.brightness) == (width, height, 0, 1)


@pytest.mark.parametrize(
    ("taken", "fraction", "expected"),
    [
        ("2024:05:01 12:00:00", None, NOON),
        ("2024:05:01 12:00:00", "25", NOON + 0.25),
        ("2024:05:01 12:00:00", "007 ", NOON + 0.007),
        ("2024:05:01 12:00:00", "123456789012", NOON + 0.123456789),
        ("2024:05:01 12:00:00", "soon", NOON),
        ("2024:05:01 12:00:00", "", NOON),
        ("2024:05:01 12:00:00 ", "5", NOON + 0.5),
        ("2024-05-01T12:00:00", "5", NOON + 0.5),
        ("2024:05:01 12:00:60", None, None),
        ("2024:02:30 12:00:00", None, None),
        ("0000:00:00 00:00:00", "00", None),
        ("1970:01:01 00:00:00", None, None),
        ("    :  :     :  :  ", "  ", None),
        ("2024:05:01", "25", None),
        ("\u00b2024:05:01 12:00:00", None, None),
        ("yesterday", "25", None),
        ("", "25", None),
        ("9" * 50_000, "9" * 5000, None),
    ],
)
def test_a_time_is_what_the_camera_wrote_or_nothing(
    taken: str, fraction: str | None, expected: float | None
) -> None:
    facts = facts_of(saved(scene(), exif=exif(taken, fraction)))
    assert facts.taken_at == (None if expected is None else pytest.approx(expected, abs=1e-6))


def test_a_photo_without_exif_has_no_time() -> None:
    assert facts_of(saved(scene())).taken_at is None


def tiff_block(*entries: tuple[int, int, int, int], after: bytes = b"") -> bytes:
    """EXIF of one directory: tag, type, count and value or offset of each entry; then any bytes."""
    packed = b"".join(struct.pack("<HHLL", *entry) for entry in entries)
    return b"Exif\0\0II*\0" + struct.pack("<LH", 8, len(entries)) + packed + bytes(4) + after


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "block",
    [
        b"Exif\0\0",
        b"Exif\0\0junk" * 9,
        tiff_block((ExifTags.IFD.Exif, 4, 1, 8)),  # the directory is within itself
        tiff_block((ExifTags.IFD.Exif, 4, 1, 0xFFFFFFFF)),
        tiff_block((ExifTags.IFD.Exif, 2, 4, 0x61616161)),
        tiff_block((ExifTags.IFD.Exif, 4, 1, 26), after=b"\xff\xff" + bytes(range(256)) * 200),
        tiff_block(
            (ExifTags.IFD.Exif, 4, 1, 26),
            after=struct.pack("<HHHLL", 1, ExifTags.Base.DateTimeOriginal, 5, 5000, 44) + bytes(40_004),
        ),
    ],
)
def test_hostile_exif_spoils_neither_the_photo_nor_its_facts(block: bytes) -> None:
    plain = facts_of(saved(scene()))
    assert facts_of(saved(scene(), exif=block)) == plain


def test_exif_of_absurd_length_is_left_alone() -> None:
    block = exif("2024:05:01 12:00:00", None, 6)
    assert facts_of(saved(scene(), "PNG", exif=block + bytes(1 << 18))).taken_at == NOON
    facts = facts_of(saved(scene(), "PNG", exif=block + bytes(1 << 20)))
    assert (facts.width, facts.height, facts.taken_at) == (480, 360, None)


@pytest.mark.parametrize("number", range(2))
def test_sharpness_is_the_same_at_any_size(number: int) -> None:
    large = scene(number, 4000)
    expected = facts_of(saved(large, quality=90)).sharpness
    for longer in (2000, 1000, 600, 348):
        small = large.resize((longer, longer * 3 // 4), Image.Resampling.LANCZOS)
        assert facts_of(saved(small, quality=90)).sharpness == pytest.approx(expected, rel=0.25)


@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize("longer", [348, 2000])
def test_out_of_focus_and_shaken_photos_are_less_sharp(number: int, longer: int) -> None:
    crisp = scene(number, longer)
    sharpness = facts_of(saved(crisp)).sharpness
    previous = sharpness
    for radius in (longer / 400, longer / 200, longer / 100):
        blurred = facts_of(saved(crisp.filter(ImageFilter.GaussianBlur(radius)))).sharpness
        assert blurred < 0.6 * previous
        previous = blurred
    assert previous < sharpness / 10
    shaken = Image.fromarray(ndimage.uniform_filter1d(np.asarray(crisp), longer // 50, axis=1))
    assert facts_of(saved(shaken)).sharpness < sharpness / 2


def test_brightness_is_the_mean_luma() -> None:
    for colour, luma in (("black", 0), ("white", 1), ((128, 128, 128), 128 / 255), ((255, 0, 0), 0.299)):
        facts = facts_of(saved(Image.new("RGB", (300, 200), colour), "PNG"))
        assert facts.brightness == pytest.approx(luma, abs=2e-3)
    dark = ImageEnhance.Brightness(scene()).enhance(0.2)
    assert facts_of(saved(dark)).brightness == pytest.approx(
        facts_of(saved(scene())).brightness / 5, rel=0.05
    )


def test_a_picture_without_structure_has_no_hash() -> None:
    noise = np.random.default_rng(0).normal(180, 6, (400, 500)).clip(0, 255).astype(np.uint8)
    for image in (Image.new("L", (500, 400), 0), Image.new("L", (500, 400), 200), Image.fromarray(noise)):
        assert facts_of(saved(image)).perceptual_hash == NO_STRUCTURE
    assert facts_of(saved(scene())).perceptual_hash != NO_STRUCTURE


@pytest.mark.parametrize("taken", [None, NOON + 0.123456])
def test_facts_are_the_same_when_unpacked(taken: float | None) -> None:
    facts = PhotoFacts(4000, 3000, 123.456, 0.1 + 0.2, 2**64 - 3, taken)
    assert unpack(pack(facts)) == facts
