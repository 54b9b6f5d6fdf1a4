"""Colours are those that a photo's colour profile means, and a profile that is no good spoils no photo."""

import struct
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from tests.support.photo_bytes import encoded
from worker.photos.colour_profile import LARGEST_PROFILE, in_srgb
from worker.photos.decode import PREPARATION, SIDE, OpenPhoto, open_photo
from worker.photos.facts import pack, photo_facts, unpack

Doubles = npt.NDArray[np.float64]
Colour = tuple[int, int, int]
Chromaticities = tuple[tuple[float, float], ...]

DISPLAY_P3: Chromaticities = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
SRGB: Chromaticities = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
D65, D50 = np.array([0.9505, 1.0, 1.0891]), np.array([0.9642, 1.0, 0.8249])
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

GAMMA = 563 / 256
"""Of what the profiles here describe, as their 8.8 bits hold it."""

MUTED: tuple[Colour, ...] = ((160, 100, 80), (90, 140, 100), (70, 90, 150), (200, 180, 120), (128, 128, 128))
"""Colours of a wider space that sRGB has, too."""


def to_d50(primaries: Chromaticities) -> Doubles:
    """The matrix from linear values of a space whose white is D65 to XYZ as profiles have it, adapted to D50."""
    xyz = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    unadapted = xyz * np.linalg.solve(xyz, D65)
    adaptation = np.linalg.solve(BRADFORD, ((BRADFORD @ D50) / (BRADFORD @ D65))[:, None] * BRADFORD)
    adapted: Doubles = adaptation @ unadapted
    return adapted


def xyz(values: Doubles) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def profile(primaries: Chromaticities, space: bytes = b"RGB ") -> bytes:
    """An ICC profile of version 2 with nothing but primaries and a gamma."""
    columns = zip((b"r", b"g", b"b"), to_d50(primaries).T, strict=True)
    tags = {letter + b"XYZ": xyz(column) for letter, column in columns}
    return icc(space, tags | {letter + b"TRC": curve(GAMMA) for letter in (b"r", b"g", b"b")})


def curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">LH", 1, round(gamma * 256)) + bytes(2)


def icc(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A profile for a display, with these tags and those that every profile has."""
    name = b"made by a test"
    described = b"desc\0\0\0\0" + struct.pack(">L", len(name) + 1) + name + bytes(80)
    tags = {b"desc": described, b"cprt": b"text\0\0\0\0none\0", b"wtpt": xyz(D50)} | tags
    table, body, offset = struct.pack(">L", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for signature, data in tags.items():
        table += signature + struct.pack(">LL", offset + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">L4xL4s4s4s", offset + len(body), 0x02200000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + xyz(D50)[8:]
    return header.ljust(128, b"\0") + table + body


def by_hand(colour: Colour, primaries: Chromaticities) -> Doubles:
    """The sRGB colour, 0 to 255, of a colour in the space of `profile(primaries)`."""
    linear = np.linalg.solve(to_d50(SRGB), to_d50(primaries) @ (np.array(colour) / 255) ** GAMMA).clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@cache
def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def opened(image: Image.Image, kind: str, embedded: bytes | None, **options: object) -> OpenPhoto:
    exact: dict[str, dict[str, object]] = {
        "JPEG": {"quality": 100, "subsampling": 0},
        "WEBP": {"lossless": True, "exact": True},
    }
    data = encoded(image, kind, icc_profile=embedded, **exact.get(kind, {}), **options)
    return open_photo(Path("photo"), data)


def middle(image: Image.Image) -> npt.NDArray[np.int64]:
    found: npt.NDArray[np.int64] = np.asarray(image)[image.height // 2, image.width // 2].astype(np.int64)
    return found


def test_colours_by_hand_are_those_that_are_known() -> None:
    """The purest red of sRGB is a duller red of Display P3: (234, 51, 35) by its own curve, which is sRGB's."""
    linear = np.linalg.solve(to_d50(DISPLAY_P3), to_d50(SRGB) @ np.array([1, 0, 0]))
    encoded_red = 255 * (1.055 * linear ** (1 / 2.4) - 0.055)
    assert encoded_red == pytest.approx((234, 51, 35), abs=1)
    assert to_d50(SRGB)[0] == pytest.approx((0.4361, 0.3851, 0.1431), abs=1e-3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
@pytest.mark.parametrize("colour", MUTED)
def test_a_photo_of_a_wider_space_has_the_colours_that_its_profile_means(kind: str, colour: Colour) -> None:
    plain = Image.new("RGB", (300, 260), colour)
    options: dict[str, object] = {"quality": 100, "chroma": 444} if kind == "HEIF" else {}
    options = {"quality": 100, "subsampling": "4:4:4"} if kind == "AVIF" else options
    photo = opened(plain, kind, profile(DISPLAY_P3), **options)
    expected = by_hand(colour, DISPLAY_P3)
    for image in (photo.whole, photo.detail):
        assert image.mode == "RGB"
        assert np.abs(middle(image) - expected).max() <= 2
    assert not photo.broken_profile
    if len(set(colour)) > 1:
        assert np.abs(expected - colour).max() > 4, "otherwise this would not show anything"


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255)])
def test_colours_that_srgb_does_not_have_become_the_nearest_that_it_has(colour: Colour) -> None:
    photo = opened(Image.new("RGB", (230, 230), colour), "PNG", profile(DISPLAY_P3))
    assert np.abs(middle(photo.whole) - by_hand(colour, DISPLAY_P3)).max() <= 2


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("alpha", [0, 51, 200, 255])
def test_transparency_is_kept_and_colours_are_converted_before_they_are_laid_on_white(
    kind: str, alpha: int
) -> None:
    colour = MUTED[0]
    photo = opened(Image.new("RGBA", (300, 260), (*colour, alpha)), kind, profile(DISPLAY_P3))
    share = alpha / 255
    expected = share * by_hand(colour, DISPLAY_P3) + (1 - share) * 255
    assert np.abs(middle(photo.whole) - expected).max() <= 2


def test_every_value_of_transparency_is_kept() -> None:
    pixels = np.full((16, 16, 4), (*MUTED[0], 0), np.uint8)
    pixels[..., 3] = np.arange(256).reshape(16, 16)
    image = Image.fromarray(pixels)
    image.info["icc_profile"] = profile(DISPLAY_P3)
    converted, broken = in_srgb(image)
    assert (converted.mode, broken) == ("RGBA", False)
    assert np.array_equal(np.asarray(converted)[..., 3], pixels[..., 3])
    assert np.abs(np.asarray(converted)[..., :3] - by_hand(MUTED[0], DISPLAY_P3)).max() <= 2


@pytest.mark.parametrize("transparency", [None, 0])
def test_palettes_have_profiles_too(transparency: int | None) -> None:
    image = Image.new("P", (240, 240), 1)
    image.putpalette([0, 0, 0, *MUTED[0]])
    image.paste(0, (0, 0, 60, 240))
    options = {} if transparency is None else {"transparency": transparency}
    photo = opened(image, "PNG", profile(DISPLAY_P3), **options)
    assert np.abs(middle(photo.whole) - by_hand(MUTED[0], DISPLAY_P3)).max() <= 2
    aside = np.asarray(photo.whole)[112, 20]
    assert aside.tolist() == ([0, 0, 0] if transparency is None else [255, 255, 255])


def test_a_transparent_colour_stays_transparent() -> None:
    image = Image.new("RGB", (240, 240), MUTED[0])
    image.paste(MUTED[1], (0, 0, 120, 240))
    photo = opened(image, "PNG", profile(DISPLAY_P3), transparency=MUTED[1])
    assert np.asarray(photo.whole)[112, 20].tolist() == [255, 255, 255]
    assert np.abs(np.asarray(photo.whole)[112, 200] - by_hand(MUTED[0], DISPLAY_P3)).max() <= 2


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "RGB"), ("PNG", "RGB"), ("PNG", "RGBA"), ("WEBP", "RGB"), ("WEBP", "RGBA")]
)
@pytest.mark.parametrize("named", [True, False])
def test_a_profile_of_srgb_changes_nothing(kind: str, mode: str, named: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, len(mode)), np.uint8)
    embedded = srgb_profile() if named else srgb_profile().replace(b"s\0R\0G\0B", b"s\0X\0Y\0Z")
    assert named == (embedded == srgb_profile())
    with_it, without = (opened(Image.fromarray(pixels), kind, each) for each in (embedded, None))
    assert not with_it.broken_profile
    apart = np.asarray(with_it.whole).astype(int) - np.asarray(without.whole)
    assert np.abs(apart).max() <= 1


def spoilt(how: str) -> bytes:
    good = profile(DISPLAY_P3)
    match how:
        case "no profile at all":
            return b"not a profile"
        case "cut in its header":
            return good[:100]
        case "cut in its table":
            return good[:150]
        case "cut in its curves":
            return good[:-40]
        case "of another space":
            return profile(DISPLAY_P3, space=b"CMYK")
        case "of an unknown space":
            return profile(DISPLAY_P3, space=b"xyzw")
        case "full of noise":
            return good[:132] + np.random.default_rng(0).bytes(len(good) - 132)
        case "without primaries":
            return good.replace(b"gXYZ", b"none")
        case _:
            return good + bytes(LARGEST_PROFILE)


SPOILT = (
    "no profile at all",
    "cut in its header",
    "cut in its table",
    "cut in its curves",
    "of another space",
    "of an unknown space",
    "full of noise",
    "without primaries",
    "gigantic",
)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
@pytest.mark.parametrize("how", SPOILT)
def test_a_profile_that_is_no_good_is_ignored_and_told(kind: str, how: str) -> None:
    plain = Image.new("RGB", (230, 230), MUTED[0])
    photo = opened(plain, kind, spoilt(how))
    assert photo.broken_profile
    assert np.abs(middle(photo.whole) - MUTED[0]).max() <= 1
    facts = photo_facts(photo)
    assert facts.broken_profile
    assert unpack(pack(facts)) == facts


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_profile_of_two_megabytes_is_none_too_large(kind: str) -> None:
    photo = opened(Image.new("RGB", (230, 230), MUTED[0]), kind, profile(DISPLAY_P3) + bytes(2 << 20))
    assert not photo.broken_profile
    assert np.abs(middle(photo.whole) - by_hand(MUTED[0], DISPLAY_P3)).max() <= 2


@pytest.mark.parametrize("how", [how for how in SPOILT if how != "gigantic"])
def test_transparency_outlives_a_profile_that_is_no_good(how: str) -> None:
    photo = opened(Image.new("RGBA", (230, 230), (255, 0, 0, 51)), "PNG", spoilt(how))
    assert photo.broken_profile
    assert middle(photo.whole).tolist() == [255, 204, 204]


@pytest.mark.parametrize("embedded", [None, profile(DISPLAY_P3), srgb_profile()])
def test_photos_with_a_good_profile_and_without_one_have_no_broken_one(embedded: bytes | None) -> None:
    facts = photo_facts(opened(Image.new("RGB", (230, 230), MUTED[1]), "JPEG", embedded))
    assert not facts.broken_profile
    assert unpack(pack(facts)) == facts


@pytest.mark.parametrize(
    ("mode", "colour", "kind", "expected"),
    [
        ("L", 90, "JPEG", (90, 90, 90)),
        ("L", 90, "PNG", (90, 90, 90)),
        ("LA", (0, 128), "PNG", (127, 127, 127)),
        ("1", 1, "PNG", (255, 255, 255)),
        ("I;16", 0x8000, "PNG", (128, 128, 128)),
        ("CMYK", (0, 255, 255, 0), "JPEG", (255, 0, 0)),
        ("CMYK", (255, 0, 0, 0), "TIFF", (0, 255, 255)),
    ],
)
@pytest.mark.parametrize("embedded", [profile(DISPLAY_P3), srgb_profile(), b"junk"])
def test_grey_and_ink_with_a_profile_of_another_space_are_as_if_they_had_none(
    mode: str, colour: int | tuple[int, ...], kind: str, expected: Colour, embedded: bytes
) -> None:
    photo = opened(Image.new(mode, (240, 230), colour), kind, embedded)
    assert np.abs(middle(photo.whole) - expected).max() <= 5


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("embedded", [profile(DISPLAY_P3), srgb_profile()])
def test_a_profile_of_rgb_in_a_grey_photo_is_ignored_and_not_broken(kind: str, embedded: bytes) -> None:
    photo = opened(Image.new("L", (240, 230), 90), kind, embedded)
    assert np.abs(middle(photo.whole) - 90).max() <= 1
    assert not photo.broken_profile


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("gamma", [1.0, 1.8])
def test_grey_photos_have_the_lightness_that_a_profile_of_greys_means(kind: str, gamma: float) -> None:
    photo = opened(Image.new("L", (240, 230), 90), kind, icc(b"GRAY", {b"kTRC": curve(gamma)}))
    linear = (90 / 255) ** (round(gamma * 256) / 256)
    assert not photo.broken_profile
    assert np.abs(middle(photo.whole) - 255 * (1.055 * linear ** (1 / 2.4) - 0.055)).max() <= 2


def test_grey_photos_with_a_profile_keep_their_transparency() -> None:
    photo = opened(Image.new("LA", (240, 230), (90, 51)), "PNG", icc(b"GRAY", {b"kTRC": curve(1.0)}))
    grey = 255 * (1.055 * (90 / 255) ** (1 / 2.4) - 0.055)
    assert np.abs(middle(photo.whole) - (0.2 * grey + 0.8 * 255)).max() <= 2


def test_many_threads_convert_alike() -> None:
    random = np.random.default_rng(0)
    photos = [Image.fromarray(random.integers(0, 256, (60, 80, 3), np.uint8)) for _ in range(24)]
    data = [encoded(photo, "PNG", icc_profile=profile(DISPLAY_P3)) for photo in photos]

    def decoded(each: bytes) -> bytes:
        return open_photo(Path("photo"), each).whole.tobytes()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(decoded, data)) == [decoded(each) for each in data]


def test_the_recipe_tells_what_becomes_of_colour_profiles() -> None:
    said = PREPARATION["colour_profile"]
    assert isinstance(said, str)
    assert said.startswith("converted to sRGB")
    assert "ignored where it is broken" in said
