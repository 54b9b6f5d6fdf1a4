"""Copies of a photo are found among photos of anything else, exactly, and at any scale."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from demo.draw_catalogue import draw_photo
from demo.drawn_products import PRODUCTS
from worker.photos.decode import open_photo
from worker.photos.facts import NO_STRUCTURE, photo_facts
from worker.photos.near_duplicates import DISTANCE, Hashes, near_copies


def saved(image: Image.Image, quality: int = 88, kind: str = "JPEG") -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, quality=quality)
    return buffer.getvalue()


def resized(image: Image.Image, factor: float) -> Image.Image:
    size = (round(image.width * factor), round(image.height * factor))
    return image.resize(size, Image.Resampling.LANCZOS)


def brightened(image: Image.Image, factor: float) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(factor)


def hashes_of(photos: list[bytes]) -> Hashes:
    opened = (open_photo(Path("photo"), photo) for photo in photos)
    return np.array([photo_facts(photo).perceptual_hash for photo in opened], np.uint64)


def random_hashes(count: int, seed: int = 0) -> Hashes:
    return np.random.default_rng(seed).integers(1, 2**64, count, np.uint64)


def flipped(hashes: Hashes, most: int, seed: int = 1) -> Hashes:
    """In each hash, one to so many bits are others."""
    random = np.random.default_rng(seed)
    order = random.permuted(np.tile(np.arange(64, dtype=np.uint64), (len(hashes), 1)), axis=1)
    mine = np.arange(64) < random.integers(1, most + 1, len(hashes))[:, None]
    bits: Hashes = ((np.uint64(1) << order) * mine).sum(axis=1, dtype=np.uint64)
    return hashes ^ bits


def all_pairs(hashes: Hashes, distance: int) -> list[tuple[int, int]]:
    near = np.bitwise_count(hashes[:, None] ^ hashes) <= distance
    return [(int(one), int(other)) for one, other in np.argwhere(np.triu(near, 1))]


def test_copies_of_a_drawn_photo_are_found_and_nothing_else() -> None:
    photos: list[bytes] = []
    copies: list[tuple[int, int]] = []
    for number, product in enumerate(PRODUCTS[:6]):
        original = saved(draw_photo(product, np.random.default_rng([5, number])))
        image = Image.open(BytesIO(original)).convert("RGB")
        versions = [
            original,
            saved(image, quality=40),
            saved(resized(image, 0.5)),
            saved(resized(image, 2.5), quality=75),
            saved(image, quality=70, kind="WEBP"),
            saved(brightened(image, 1.04)),
            saved(brightened(resized(image, 0.6), 1.03), quality=60),
        ]
        copies += [(len(photos), len(photos) + copy) for copy in range(1, len(versions))]
        photos += versions
    groups = np.arange(len(photos))
    for one, other in near_copies(hashes_of(photos)):
        assert one // 7 == other // 7, "photos of different products are no copies"
        groups[groups == groups[other]] = groups[one]
    assert all(groups[one] == groups[other] for one, other in copies)


def test_photos_of_different_products_are_no_copies() -> None:
    photos = [
        saved(draw_photo(product, np.random.default_rng([9, number, angle])))
        for number, product in enumerate(PRODUCTS)
        for angle in range(2)
    ]
    assert all(one // 2 == other // 2 for one, other in near_copies(hashes_of(photos)))


@pytest.mark.parametrize("distance", [0, 1, 2, DISTANCE, 7, 13])
def test_all_pairs_as_near_as_asked_for_are_found_and_no_others(distance: int) -> None:
    hashes = np.unique(np.concatenate([random_hashes(600), flipped(random_hashes(600), distance + 3)]))
    np.random.default_rng(2).shuffle(hashes)
    expected = all_pairs(hashes, distance)
    assert near_copies(hashes, distance) == expected
    assert expected or not distance


def test_every_way_to_differ_in_four_bits_is_found() -> None:
    random = np.random.default_rng(0)
    for base in random_hashes(200):
        places = random.choice(64, 5, replace=False).astype(np.uint64)
        mask = np.bitwise_or.reduce(np.uint64(1) << places[:4])
        assert near_copies(np.array([base, base ^ mask]), 4) == [(0, 1)]
        assert near_copies(np.array([base, base ^ mask ^ (np.uint64(1) << places[4])]), 4) == []


def test_equal_hashes_are_a_chain() -> None:
    one, other, far = (np.uint64(value) for value in (0xFFFF0000FFFF0000, 0xFFFF0000FFFF0001, 0x1234))
    hashes = np.array([one, far, one, other, one, other])
    assert near_copies(hashes) == [(0, 2), (0, 3), (2, 4), (3, 5)]


def test_a_hundred_thousand_equal_photos_are_a_hundred_thousand_pairs() -> None:
    hashes = np.full(100_000, 0x123456789ABCDEF0, np.uint64)
    assert near_copies(hashes) == [(place, place + 1) for place in range(99_999)]


def test_few_copies_among_a_hundred_thousand_photos_are_found() -> None:
    hashes = random_hashes(100_000)
    hashes[90_000:90_050] = flipped(hashes[:50], DISTANCE)
    assert set(near_copies(hashes)) >= {(place, 90_000 + place) for place in range(50)}


def test_photos_that_show_nothing_are_copies_of_nothing() -> None:
    nothing = np.uint64(NO_STRUCTURE)
    assert near_copies(np.array([nothing, np.uint64(1), nothing, np.uint64(3)])) == [(1, 3)]
    flat = [saved(Image.new("RGB", (300, 200), colour)) for colour in ("white", "white", "grey", "black")]
    assert near_copies(hashes_of(flat)) == []


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_photos_for_a_pair(count: int) -> None:
    assert near_copies(random_hashes(count)) == []
