"""Which photos a job gets, and when it gets none."""

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.support.catalogues import catalogue
from tests.support.privileges import without_privileges
from worker.catalogue.catalogue_photo import CataloguePhoto
from worker.catalogue.dataset import prepare_dataset
from worker.catalogue.photo_files import fetch_negatives, fetch_photos, split_catalogue
from worker.errors import ErrorCode, JobError
from worker.job.photo_path import PhotoPath
from worker.photos.unreadable import SkipReason


def code_of(storage: Path, rows: list[CataloguePhoto]) -> tuple[ErrorCode, str]:
    with pytest.raises(JobError) as raised:
        fetch_photos(rows, storage)
    return raised.value.code, raised.value.message


@pytest.mark.parametrize("counts", [{}, {"A": 5, "B": 4}, {"A": 50}])
def test_too_few_photos_or_products(tmp_path: Path, counts: dict[str, int]) -> None:
    code, message = code_of(tmp_path, catalogue(tmp_path, counts))
    assert code == ErrorCode.INSUFFICIENT_PHOTOS
    assert f"{sum(counts.values())} usable photos of {len(counts)} active products" in message


def test_ten_photos_of_two_products_are_enough(tmp_path: Path) -> None:
    assert len(fetch_photos(catalogue(tmp_path, {"A": 9, "B": 1}), tmp_path).photos) == 10


@pytest.mark.parametrize(("missing", "fails"), [(2, False), (3, True)])
def test_more_than_a_tenth_missing_is_the_wrong_mount(tmp_path: Path, missing: int, fails: bool) -> None:
    rows = catalogue(tmp_path, {"A": 10, "B": 10})
    for row in rows[:missing]:
        (tmp_path / "products" / row.product_id / str(row.file_name)).unlink()
    if fails:
        code, message = code_of(tmp_path, rows)
        assert code == ErrorCode.STORAGE_INCOMPLETE
        assert "3 of 20" in message
        assert "products/A/0.jpg, products/A/1.jpg, products/A/2.jpg" in message
    else:
        photo_set = fetch_photos(rows, tmp_path)
        assert [photo.reason for photo in photo_set.skipped] == [SkipReason.MISSING] * missing


def gone(storage: Path) -> None:
    storage.rename(storage.with_name("elsewhere"))


def a_file(storage: Path) -> None:
    gone(storage)
    storage.touch()


def a_mount_point(storage: Path) -> None:
    gone(storage)
    storage.mkdir()


def a_mount_point_of_products(storage: Path) -> None:
    gone(storage / "products")
    (storage / "products").mkdir()


def a_loop(storage: Path) -> None:
    gone(storage)
    storage.symlink_to(storage)


@pytest.mark.parametrize(
    ("happens", "says"),
    [
        (gone, "there is no folder {}"),
        (a_file, "{} cannot be read (Not a directory)"),
        (a_mount_point, "{} is empty"),
        (a_mount_point_of_products, "{}/products is empty"),
        (a_loop, "{} cannot be read (Too many levels of symbolic links)"),
    ],
)
def test_a_storage_that_cannot_be_reached_may_come_back(
    tmp_path: Path, happens: Callable[[Path], None], says: str
) -> None:
    storage = tmp_path / "storage"
    rows = catalogue(storage, {"A": 10, "B": 10})
    happens(storage)
    code, message = code_of(storage, rows)
    assert code == ErrorCode.STORAGE_UNAVAILABLE
    assert says.format(storage) in message


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_a_storage_that_fails_may_come_back(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = catalogue(tmp_path, {"A": 10, "B": 10})
    (tmp_path / "products" / "A" / "0.jpg").unlink()

    def fails(path: Path) -> NoReturn:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(os, "scandir", fails)
    code, message = code_of(tmp_path, rows)
    assert (code, os.strerror(number) in message) == (ErrorCode.STORAGE_UNAVAILABLE, True)


def test_another_storage_than_the_backends_is_incomplete(tmp_path: Path) -> None:
    rows = catalogue(tmp_path / "storage", {"A": 10, "B": 10})
    (tmp_path / "another" / "logos").mkdir(parents=True)
    assert code_of(tmp_path / "another", rows)[0] == ErrorCode.STORAGE_INCOMPLETE


def lie(storage: Path, rows: list[CataloguePhoto], layout: str) -> None:
    """Have the files of `rows` lie as another backend keeps them."""
    for row in rows:
        path = PhotoPath(layout).of(row.columns)
        assert path
        (storage / path).parent.mkdir(parents=True, exist_ok=True)
        (storage / path).write_bytes(b"x")


def named_apart(rows: list[CataloguePhoto]) -> list[CataloguePhoto]:
    """The rows with file names of their own, as backends give them that have one folder for all."""
    return [
        replace(row, file_name=f"{number}.jpg", photo_id=str(1000 + number))
        for number, row in enumerate(rows)
    ]


@pytest.mark.parametrize("layout", ["products/{FileName}", "{SKU}/{FileName}", "photos/{SKU}-{PhotoId}.jpg"])
def test_photos_are_found_where_the_backend_keeps_them(tmp_path: Path, layout: str) -> None:
    rows = named_apart(catalogue(tmp_path / "another", {"A": 10, "B": 10}))
    lie(tmp_path / "storage", rows, layout)
    photo_set = fetch_photos(rows, tmp_path / "storage", PhotoPath(layout))
    assert (len(photo_set.photos), photo_set.skipped) == (20, ())
    assert photo_set.photos[0].name == str(PhotoPath(layout).of(rows[0].columns))
    others = fetch_negatives(rows[:3], tmp_path / "storage", PhotoPath(layout))
    assert [photo.name for photo in others.photos] == [photo.name for photo in photo_set.photos[:3]]


@pytest.mark.parametrize(
    "layout",
    [
        "products/{FileName}",
        "{ProductId}/{FileName}",
        "photos/{SKU}/{FileName}",
        "uploads/products/{FileName}",
        "{FileName}",
    ],
)
def test_the_layout_that_fits_is_named(tmp_path: Path, layout: str) -> None:
    rows = [
        replace(row, product_id=f"id of {row.sku}")
        for row in named_apart(catalogue(tmp_path / "another", {"A": 30, "B": 30}))
    ]
    lie(tmp_path / "storage", rows[5:], layout)
    code, message = code_of(tmp_path / "storage", rows)
    assert code == ErrorCode.STORAGE_INCOMPLETE
    assert f"set PHOTO_PATH={layout}, by which" in message


def test_no_layout_is_named_where_none_fits_better(tmp_path: Path) -> None:
    """Files of one name for photos of many products say nothing."""
    rows = catalogue(tmp_path, {"A": 2, "B": 2, "C": 2, "D": 2, "E": 2, "F": 2})
    for row in rows[:3]:
        (tmp_path / "products" / row.product_id / str(row.file_name)).unlink()
    lie(tmp_path, rows, "photos/{FileName}")
    code, message = code_of(tmp_path, rows)
    assert code == ErrorCode.STORAGE_INCOMPLETE
    assert "set PHOTO_PATH" not in message
    assert "as PHOTO_PATH says, products/{ProductId}/{FileName}?" in message


def test_an_empty_folder_beside_the_photos_does_not_hide_where_they_are(tmp_path: Path) -> None:
    rows = named_apart(catalogue(tmp_path / "another", {"A": 10, "B": 10}))
    lie(tmp_path / "storage", rows, "photos/{FileName}")
    (tmp_path / "storage" / "products").mkdir()
    code, message = code_of(tmp_path / "storage", rows)
    assert code == ErrorCode.STORAGE_UNAVAILABLE
    assert "products is empty. They lie elsewhere in it: set PHOTO_PATH=photos/{FileName}," in message


@pytest.mark.parametrize("product_id", ["../A", "/etc", "a/b", ".."])
def test_an_id_never_leads_out_of_its_folder(tmp_path: Path, product_id: str) -> None:
    """A backend's ids may be texts."""
    rows = catalogue(tmp_path, {"A": 10, "B": 10})
    photo_set = fetch_photos([*rows, CataloguePhoto(product_id, "C", "The C", "0.jpg")], tmp_path)
    assert [photo.reason for photo in photo_set.skipped] == [SkipReason.UNSAFE_NAME]


@pytest.mark.parametrize("name", ["../A/0.jpg", "/etc/passwd", "..", "", "a\0b", "a" * 256, "ä" * 128])
def test_a_file_name_never_leads_out_of_its_folder(tmp_path: Path, name: str) -> None:
    rows = catalogue(tmp_path, {"A": 10, "B": 10})
    photo_set = fetch_photos([*rows, CataloguePhoto("B", "B", "The B", name)], tmp_path)
    assert [photo.reason for photo in photo_set.skipped] == [SkipReason.UNSAFE_NAME]


@pytest.mark.parametrize("column", ["sku", "name", "file_name"])
def test_a_null_costs_its_photo_and_not_the_job(tmp_path: Path, column: str) -> None:
    rows = catalogue(tmp_path, {"A": 10, "B": 10})
    null: dict[str, Any] = {column: None}
    rows[3] = replace(rows[3], **null)
    photo_set = fetch_photos(rows, tmp_path)
    [skipped] = photo_set.skipped
    assert skipped.reason == SkipReason.INCOMPLETE_ROW
    assert skipped.photo == f"products/A/{'NULL' if column == 'file_name' else '3.jpg'}"
    assert len(photo_set.photos) == 19


@pytest.mark.parametrize(("unreadable", "fails"), [(2, False), (3, True)])
def test_a_photo_that_may_not_be_read_is_skipped_and_a_tenth_of_them_is_the_wrong_user(
    tmp_path: Path, unreadable: int, fails: bool
) -> None:
    rows = catalogue(tmp_path, {"A": 10, "B": 10})
    for row in rows[:unreadable]:
        (tmp_path / "products" / row.product_id / str(row.file_name)).chmod(0)

    def skipped() -> list[SkipReason]:
        dataset = prepare_dataset(fetch_photos(rows, tmp_path), lambda done: None)
        return [photo.reason for photo in dataset.skipped]

    if fails:
        with pytest.raises(JobError, match="3 of 20 photo files") as raised:
            without_privileges(skipped)
        assert raised.value.code == ErrorCode.STORAGE_UNAVAILABLE
    else:
        assert without_privileges(skipped) == [SkipReason.UNREADABLE] * unreadable


def test_a_folder_that_may_not_be_entered_is_skipped_photo_by_photo(tmp_path: Path) -> None:
    rows = catalogue(tmp_path, {"A": 10, "B": 10, "C": 1})
    (tmp_path / "products" / "C").chmod(0)
    try:
        photo_set = without_privileges(lambda: fetch_photos(rows, tmp_path))
    finally:
        (tmp_path / "products" / "C").chmod(0o700)
    assert [photo.reason for photo in photo_set.skipped] == [SkipReason.UNREADABLE]


def test_a_negative_whose_name_is_no_text_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "negatives").mkdir()
    for name in (b"good.jpg", b"b\xffd.jpg", b"l\nine.jpg"):
        Path(os.fsdecode(bytes(tmp_path / "negatives") + b"/" + name)).write_bytes(b"x")
    photo_set = fetch_negatives([], tmp_path)
    assert [photo.name for photo in photo_set.photos] == ["negatives/good.jpg"]
    assert [photo.reason for photo in photo_set.skipped] == [SkipReason.UNSAFE_NAME] * 2


def test_ten_megabytes_of_unknown_negatives_make_a_short_message(tmp_path: Path) -> None:
    unknown = [f"{number:010000}" for number in range(1000)]
    with pytest.raises(JobError) as raised:
        split_catalogue(catalogue(tmp_path, {"A": 1}), unknown)
    assert raised.value.code == ErrorCode.INVALID_OPTIONS
    assert len(raised.value.message) < 2000
