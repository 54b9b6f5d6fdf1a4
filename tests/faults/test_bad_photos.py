"""Photos that once failed every job of their catalogue are skipped by name, and the others make a model."""

from pathlib import Path
from uuid import uuid4

from tests.faults.workers import Worker, Workers
from tests.support.hostile_photos import TOO_LARGE
from tests.support.shop import Shop
from worker.events import Event
from worker.photos.unreadable import SkipReason

FAILING = {
    "crash.jpg": SkipReason.DECODER_CRASHED,
    "spin.jpg": SkipReason.TOO_SLOW,
    "sleep.jpg": SkipReason.TOO_SLOW,
    "grow.jpg": SkipReason.TOO_LARGE,
}
SKIPPED = FAILING | dict.fromkeys(TOO_LARGE, SkipReason.TOO_LARGE)
SETTINGS = {"TRAINING": "bad_photos"}
QUICK = {"profile": "quick", "force": True}


def add_bad_photos(shop: Shop) -> Path:
    """Add them all to one product, and return its folder."""
    folder = min((shop.storage / "products").iterdir())
    good = min(folder.iterdir()).read_bytes()
    for name in SKIPPED:
        # Workers of other tests share the cache, in which failed contents are remembered.
        content = TOO_LARGE[name]() if name in TOO_LARGE else good + uuid4().bytes
        (folder / name).write_bytes(content)
    with shop.connect() as connection:
        for name in SKIPPED:
            connection.execute(
                'INSERT INTO "ProductPhotos" ("Id", "ProductId", "FileName", "DisplayOrder") VALUES (%s, %s, %s, 0)',
                (uuid4(), folder.name, name),
            )
    return folder


def skipped(worker: Worker) -> dict[str, str]:
    events = [event for event in worker.events() if event["event"] == Event.PHOTO_SKIPPED]
    return {Path(event["photo"]).name: event["reason"] for event in events}


def test_bad_photos_are_skipped_and_not_tried_again(shop: Shop, workers: Workers) -> None:
    folder = add_bad_photos(shop)
    tries = []
    for _ in range(2):
        job_id = shop.insert_job(QUICK)
        worker = workers.run_until_idle(**SETTINGS)
        job = shop.job(job_id)
        assert (job["Status"], job["AttemptCount"]) == ("Completed", 1), job["ErrorMessage"]
        assert skipped(worker) == SKIPPED
        worker.childless()
        tries.append((folder / "log").read_text().splitlines())
    assert [tries[0].count(f"begin {name}") for name in FAILING] == [2, 2, 2, 2]
    assert [tries[1].count(f"begin {name}") for name in FAILING] == [2, 2, 2, 2], "none is tried again"
    assert [model["TotalPhotosUsed"] for model in shop.models_in_database()] == [28, 28]


def test_a_decoder_that_is_killed_again_and_again_is_a_machine_without_memory(
    shop: Shop, workers: Workers
) -> None:
    folder = min((shop.storage / "products").iterdir())
    good = min(folder.iterdir())
    good.with_name("killed.jpg").write_bytes(good.read_bytes() + uuid4().bytes)
    with shop.connect() as connection:
        connection.execute(
            'UPDATE "ProductPhotos" SET "FileName" = %s WHERE "ProductId" = %s AND "FileName" = %s',
            ("killed.jpg", folder.name, good.name),
        )
        connection.execute('ALTER TABLE "TrainingJobs" ALTER "MaxAttempts" SET DEFAULT 2')
    job_id = shop.insert_job(QUICK)
    worker = workers.run_until_idle(**SETTINGS, RETRY_SECONDS="0")
    job = shop.job(job_id)
    assert (job["Status"], job["ErrorCode"], job["AttemptCount"]) == ("Failed", "out_of_memory", 2)
    assert "killed.jpg" in job["ErrorMessage"]
    assert skipped(worker) == {}
