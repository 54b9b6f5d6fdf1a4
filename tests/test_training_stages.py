"""The stages that need no network of neurons: what is fetched, what is held out, when it will be done."""

from pathlib import Path

import numpy as np
import pytest

from worker.errors import ErrorCode, JobError
from worker.training.fetch_photos import CataloguePhoto, PhotoSet, fetch_photos
from worker.training.photo import SkipReason
from worker.training.prepare_dataset import prepare_dataset
from worker.training.progress import Advanced, Progress, Stage, StageFinished, StageStarted, Update
from worker.training.split import group_copies, hold_out


def catalogue(storage: Path, counts: dict[str, int]) -> list[CataloguePhoto]:
    """Rows for so many photos a product, with a file for each."""
    rows = []
    for sku, count in counts.items():
        (storage / "products" / sku).mkdir(parents=True)
        for number in range(count):
            (storage / "products" / sku / f"{number}.jpg").write_bytes(b"x")
            rows.append(CataloguePhoto(sku, sku, f"The {sku}", f"{number}.jpg"))
    return rows


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
        (tmp_path / "products" / row.product_id / row.file_name).unlink()
    if fails:
        code, message = code_of(tmp_path, rows)
        assert code == ErrorCode.STORAGE_INCOMPLETE
        assert "3 of 20" in message
        assert "products/A/0.jpg, products/A/1.jpg, products/A/2.jpg" in message
    else:
        photo_set = fetch_photos(rows, tmp_path)
        assert [photo.reason for photo in photo_set.skipped] == [SkipReason.MISSING] * missing


@pytest.mark.parametrize("name", ["../A/0.jpg", "/etc/passwd", "..", "", "a\0b"])
def test_a_file_name_never_leads_out_of_its_folder(tmp_path: Path, name: str) -> None:
    rows = catalogue(tmp_path, {"A": 10, "B": 10})
    photo_set = fetch_photos([*rows, CataloguePhoto("B", "B", "The B", name)], tmp_path)
    assert [photo.reason for photo in photo_set.skipped] == [SkipReason.UNSAFE_NAME]


def test_photos_keep_their_order_and_their_pixels(drawn_photos: Path, tmp_path: Path) -> None:
    (tmp_path / "products").symlink_to(drawn_photos)
    rows = [
        CataloguePhoto(folder.name, folder.name, folder.name, file.name)
        for folder in sorted(drawn_photos.iterdir())
        for file in sorted(folder.iterdir())
    ]
    steps: list[int] = []
    dataset = prepare_dataset(fetch_photos(rows, tmp_path), steps.append)
    assert steps == list(range(1, 33))
    assert [dataset.products[label].sku for label in dataset.labels] == [row.sku for row in rows]
    assert dataset.pixels.shape == (32, 224, 224, 3)
    assert [len(batch) for batch in dataset.batches(12)] == [12, 12, 8]
    alone = prepare_dataset(
        PhotoSet(tmp_path, fetch_photos(rows, tmp_path).photos[:16], ()), lambda done: None
    )
    assert np.array_equal(alone.pixels, dataset.pixels[:16])


def test_a_product_left_without_a_readable_photo_is_no_output(tmp_path: Path, drawn_photos: Path) -> None:
    (tmp_path / "products").mkdir()
    for folder in drawn_photos.iterdir():
        (tmp_path / "products" / folder.name).symlink_to(folder)
    rows = [
        CataloguePhoto(folder.name, folder.name, folder.name, file.name)
        for folder in sorted(drawn_photos.iterdir())
        for file in sorted(folder.iterdir())
    ]
    (tmp_path / "products" / "A").mkdir()
    (tmp_path / "products" / "A" / "0.jpg").write_text("no photo")
    photo_set = fetch_photos([CataloguePhoto("A", "A", "A", "0.jpg"), *rows], tmp_path)
    dataset = prepare_dataset(photo_set, lambda done: None)
    assert "A" not in [product.sku for product in dataset.products]
    assert dataset.labels.min() == 0


def test_a_fifth_of_each_product_is_held_out_and_never_all() -> None:
    labels = np.repeat([0, 1, 2, 3], [1, 2, 10, 20])
    held = hold_out(labels, np.arange(33), seed=3)
    assert [int(held[labels == label].sum()) for label in range(4)] == [0, 1, 2, 4]
    for label in (2, 3):
        places = np.flatnonzero(held[labels == label])
        assert np.all(np.diff(places) == 1), "photos held out lie next to each other"


@pytest.mark.parametrize("seed", range(20))
def test_copies_of_a_photo_are_on_one_side(seed: int) -> None:
    labels = np.repeat([0, 1], [8, 8])
    copies = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 0])
    held = hold_out(labels, copies, seed)
    assert set(copies[held]).isdisjoint(copies[~held])
    assert not held.all()


def test_equal_pictures_are_copies() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype(np.uint8)
    pixels[3] = pixels[1]
    assert group_copies(pixels).tolist() == [0, 1, 2, 1]


def test_progress_tells_stages_percentages_and_a_time_that_shrinks() -> None:
    updates: list[Update] = []
    progress = Progress(updates.append)
    progress.expect(100)
    for stage in Stage:
        with progress.stage(stage, f"Doing {stage}"):
            progress.step(0.5, "half")
    assert [update.stage for update in updates if isinstance(update, StageStarted)] == list(Stage)
    assert [update.stage for update in updates if isinstance(update, StageFinished)] == list(Stage)
    advanced = [update for update in updates if isinstance(update, Advanced)]
    percentages = [update.percentage for update in advanced]
    assert percentages == sorted(percentages)
    assert percentages[0] == 0
    assert percentages[-1] == 99
    left = [update.seconds_left for update in advanced]
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0
