"""The stages that need no network of neurons: what is fetched, what is read, when it will be done."""

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.support.trained_here import catalogue_of
from worker.catalogue.dataset import prepare_dataset
from worker.catalogue.photo_files import CataloguePhoto, PhotoSet, fetch_photos
from worker.errors import ErrorCode, JobError
from worker.job.options import Profile
from worker.job.progress import Advanced, Phase, Stage, StageFinished, StageStarted, Update
from worker.photos.unreadable import SkipReason
from worker.pipeline.estimates import Step, job_seconds
from worker.pipeline.tracker import ProgressTracker
from worker.training.profiles import RECIPES


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


def test_photos_are_in_the_order_of_skus_and_contents_whatever_order_the_rows_have(
    drawn_photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "products").symlink_to(drawn_photos)
    rows = catalogue_of(drawn_photos)
    steps: list[int] = []
    dataset = prepare_dataset(fetch_photos(rows, tmp_path), steps.append)
    assert steps == list(range(1, 33))
    files = [(row.sku, (drawn_photos / row.product_id / row.file_name).read_bytes()) for row in rows]
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


def test_progress_tells_stages_percentages_and_a_time_left() -> None:
    updates: list[Update] = []
    progress = ProgressTracker(updates.append)
    progress.expect(job_seconds(100, views=5, epochs=6))
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
    assert advanced[0].seconds_left > 10
    assert advanced[-1].seconds_left == 0


class Clock:
    """A clock that stands still unless it is told how much time has passed."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("worker.pipeline.tracker.time.monotonic", clock)
    return clock


PHASES = dict(zip(Phase, (34.0, 4.0, 6.0, 20.0, 26.0), strict=True))
STEPS = {Step(Stage.TRAIN, phase): seconds for phase, seconds in PHASES.items()}


def simulate(
    clock: Clock, paces: dict[Phase, float], leave_out: tuple[Phase, ...] = ()
) -> list[tuple[float, Advanced]]:
    """What a job tells, with when it does, whose phases take `paces` times as long as expected, and whose other
    stages as many times as they do on average."""
    pace = sum(seconds * paces[phase] for phase, seconds in PHASES.items()) / sum(PHASES.values())
    told: list[tuple[float, Advanced]] = []

    def report(update: Update) -> None:
        if isinstance(update, Advanced):
            told.append((clock.now, update))

    progress = ProgressTracker(report)
    progress.expect(job_seconds(900, views=5, epochs=6))
    for stage in Stage:
        with progress.stage(stage, f"Doing {stage}"):
            if stage is not Stage.TRAIN:
                clock.now += pace * job_seconds(900, views=5, epochs=6)[Step(stage)]
                continue
            progress.expect(STEPS)
            for phase in [phase for phase in Phase if phase not in leave_out]:
                for number in range(1, 41):
                    clock.now += PHASES[phase] * paces[phase] / 40
                    progress.step(number / 40, f"{phase}: {number} of 40", phase)
    return told


@pytest.mark.parametrize("pace", [0.1, 0.5, 1.0, 3.0, 20.0])
def test_from_the_middle_of_a_job_the_time_left_is_true_whatever_the_machines_speed(
    clock: Clock, pace: float
) -> None:
    told = simulate(clock, dict.fromkeys(Phase, pace))
    assert_true_from_the_middle(told)


@pytest.mark.parametrize(
    "paces",
    [
        (1.0, 3.0, 0.8, 1.3, 1.3),
        (2.0, 1.0, 1.5, 1.7, 2.2),
        (0.5, 0.2, 0.5, 0.6, 0.6),
        (3.0, 6.0, 2.0, 2.5, 3.0),
    ],
)
def test_from_the_middle_of_a_job_the_time_left_is_true_though_its_phases_differ_in_pace(
    clock: Clock, paces: tuple[float, ...]
) -> None:
    told = simulate(clock, dict(zip(Phase, paces, strict=True)))
    assert_true_from_the_middle(told)


def test_a_job_that_goes_as_expected_tells_the_true_time_left_throughout(clock: Clock) -> None:
    told = simulate(clock, dict.fromkeys(Phase, 1.0))
    end = told[-1][0]
    assert all(abs(update.seconds_left - (end - when)) < 2.5 for when, update in told)


def assert_true_from_the_middle(told: list[tuple[float, Advanced]]) -> None:
    end = told[-1][0]
    middle = (told[0][0] + end) / 2
    later = [(end - when, update.seconds_left) for when, update in told if when >= middle]
    leeway = max(1.0, 0.01 * (end - told[0][0]))
    assert len(later) > 10
    for true, said in later:
        assert abs(said - true) <= 0.25 * true + leeway, f"{said} s, but it took {true:.1f}"


@pytest.mark.parametrize("leave_out", [(), (Phase.TUNING,), (Phase.TRIAL, Phase.TUNING)])
@pytest.mark.parametrize("pace", [0.2, 5.0])
def test_percentages_never_go_back_whichever_phases_there_are(
    clock: Clock, pace: float, leave_out: tuple[Phase, ...]
) -> None:
    told = simulate(clock, {phase: pace**place for place, phase in enumerate(Phase)}, leave_out)
    percentages = [update.percentage for _, update in told]
    assert all(before <= after for before, after in pairwise(percentages))
    assert (percentages[0], percentages[-1]) == (0, 99)
    assert told[-1][1].seconds_left == 0
    assert all(update.seconds_left >= 0 for _, update in told)


def test_a_stage_that_takes_no_time_takes_no_percentage_back(clock: Clock) -> None:
    updates: list[Update] = []
    progress = ProgressTracker(updates.append)
    for stage in Stage:
        with progress.stage(stage, f"Doing {stage}"):
            pass
    percentages = [update.percentage for update in updates if isinstance(update, Advanced)]
    assert percentages == sorted(percentages)
    assert percentages[-1] == 99


def test_phases_may_be_expected_before_their_stage_begins() -> None:
    updates: list[Update] = []
    progress = ProgressTracker(updates.append)
    with progress.stage(Stage.FETCH_PHOTOS, "Fetching photos"):
        progress.expect(STEPS)
        progress.step(0.5, "half")
    with progress.stage(Stage.TRAIN, "Training"):
        progress.step(1.0, "all", Phase.FEATURES)
    percentages = [update.percentage for update in updates if isinstance(update, Advanced)]
    assert percentages == sorted(percentages)
    assert np.isin(round(30 + 50 * 34 / 90), percentages)


def test_steps_take_longer_for_more_photos_and_only_those_that_there_will_be() -> None:
    for recipe in RECIPES.values():
        small, large = (job_seconds(photos, recipe.views, recipe.epochs) for photos in (50, 5000))
        assert list(small) == list(large)
        assert [step.phase for step in small if step.stage is Stage.TRAIN] == list(Phase)
        assert sum(small.values()) < sum(large.values())
        trial, tuning = (small[Step(Stage.TRAIN, phase)] for phase in (Phase.TRIAL, Phase.TUNING))
        assert (trial > 0) == (tuning > 0) == (recipe.epochs > 0)
    assert set(RECIPES) == set(Profile)
