"""Photos are read once, and known by their contents."""

import hashlib
import tracemalloc
from pathlib import Path

import pytest

from tests.support.catalogues import catalogue
from worker.catalogue.dataset import prepare_dataset
from worker.catalogue.photo_files import PhotoSet, fetch_photos
from worker.errors import ErrorCode, JobError
from worker.photos.unreadable import SkipReason


def test_photos_are_in_the_order_of_skus_and_contents_whatever_order_the_rows_have(
    tmp_path: Path,
) -> None:
    rows = catalogue(tmp_path, dict.fromkeys("ABCD", 8))
    for number, row in enumerate(rows):
        (tmp_path / "products" / row.product_id / str(row.file_name)).write_text(f"content {number}")
    steps: list[int] = []
    dataset = prepare_dataset(fetch_photos(rows, tmp_path), steps.append)
    assert steps == list(range(1, 33))
    files = [
        (row.sku, (tmp_path / "products" / row.product_id / str(row.file_name)).read_bytes()) for row in rows
    ]
    expected = sorted((sku, hashlib.sha256(content).hexdigest()) for sku, content in files)
    found = [photo.product.sku for photo in dataset.photos]
    assert list(zip(found, dataset.sha256, strict=True)) == expected
    assert [dataset.products[label].sku for label in dataset.labels] == found
    assert [hashlib.sha256(photo.path.read_bytes()).hexdigest() for photo in dataset.photos] == list(
        dataset.sha256
    )
    for other in (rows[::-1], rows[7:] + rows[:7]):
        assert prepare_dataset(fetch_photos(other, tmp_path), lambda done: None) == dataset
    part = PhotoSet(tmp_path, dataset.photos[4:20], ())
    assert prepare_dataset(part, lambda done: None).sha256 == dataset.sha256[4:20]


def test_reading_leaves_out_what_is_no_file_of_bytes_and_looks_at_no_picture(tmp_path: Path) -> None:
    rows = catalogue(tmp_path, {"A": 20, "B": 20})
    photo_set = fetch_photos(rows, tmp_path)
    photo_set.photos[3].path.write_bytes(b"")
    photo_set.photos[5].path.unlink()
    steps: list[int] = []
    dataset = prepare_dataset(photo_set, steps.append)
    assert steps == list(range(1, 41))
    assert [(photo.photo, photo.reason) for photo in dataset.skipped] == [
        ("products/A/3.jpg", SkipReason.EMPTY_FILE),
        ("products/A/5.jpg", SkipReason.MISSING),
    ]
    assert sorted(photo.name for photo in dataset.photos) == sorted(
        photo.name for place, photo in enumerate(photo_set.photos) if place not in (3, 5)
    )
    assert len(dataset.sha256) == len(dataset.labels) == 38


def test_a_file_where_the_disk_is_broken_is_skipped_and_a_tenth_of_them_is_a_broken_disk(
    tmp_path: Path,
) -> None:
    rows = catalogue(tmp_path, {"A": 10, "B": 10})

    def break_disk(*numbers: int) -> None:
        """Linux answers a read at the start of its own memory with an input/output error."""
        for number in numbers:
            (tmp_path / "products" / "A" / f"{number}.jpg").unlink()
            (tmp_path / "products" / "A" / f"{number}.jpg").symlink_to("/proc/self/mem")

    break_disk(3, 7)
    dataset = prepare_dataset(fetch_photos(rows, tmp_path), lambda done: None)
    assert [(photo.photo, photo.reason) for photo in dataset.skipped] == [
        ("products/A/3.jpg", SkipReason.UNREADABLE),
        ("products/A/7.jpg", SkipReason.UNREADABLE),
    ]
    break_disk(8)
    with pytest.raises(JobError) as raised:
        prepare_dataset(fetch_photos(rows, tmp_path), lambda done: None)
    assert raised.value.code == ErrorCode.STORAGE_UNAVAILABLE


def test_files_are_not_held_in_memory(tmp_path: Path) -> None:
    """As many are read at once as there are cores, by the process that trains."""
    rows = catalogue(tmp_path, {"A": 10, "B": 10})
    with (tmp_path / "products" / "A" / "0.jpg").open("wb") as file:
        file.truncate(32 << 20)
    tracemalloc.start()
    try:
        prepare_dataset(fetch_photos(rows, tmp_path), lambda done: None)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 8 << 20


def test_photos_that_vanish_while_they_are_read_are_the_storages_fault(tmp_path: Path) -> None:
    photo_set = fetch_photos(catalogue(tmp_path, {"A": 10, "B": 10}), tmp_path)
    for photo in photo_set.photos[:3]:
        photo.path.unlink()
    with pytest.raises(JobError) as raised:
        prepare_dataset(photo_set, lambda done: None)
    assert raised.value.code == ErrorCode.STORAGE_INCOMPLETE


def test_a_folder_in_a_photos_place_is_an_error_of_the_storage(tmp_path: Path) -> None:
    photo_set = fetch_photos(catalogue(tmp_path, {"A": 10, "B": 10}), tmp_path)
    photo_set.photos[0].path.unlink()
    photo_set.photos[0].path.mkdir()
    with pytest.raises(IsADirectoryError):
        prepare_dataset(photo_set, lambda done: None)


def test_a_product_left_without_a_readable_photo_is_no_output(tmp_path: Path) -> None:
    rows = catalogue(tmp_path, {"A": 1, "B": 10, "C": 10})
    (tmp_path / "products" / "A" / "0.jpg").write_bytes(b"")
    dataset = prepare_dataset(fetch_photos(rows, tmp_path), lambda done: None)
    assert [product.sku for product in dataset.products] == ["B", "C"]
    assert dataset.labels.tolist() == [0] * 10 + [1] * 10
    left = dataset.without(dict.fromkeys(range(9), SkipReason.TRUNCATED))
    assert [product.sku for product in left.products] == ["B", "C"]
    assert left.labels.tolist() == [0] + [1] * 10
    with pytest.raises(JobError) as raised:
        dataset.without(dict.fromkeys(range(10), SkipReason.TRUNCATED))
    assert raised.value.code == ErrorCode.INSUFFICIENT_PHOTOS
    assert "10 usable photos of 1 active products (11 more could not be used)" in raised.value.message
