"""A cancel at any time: the job is soon Cancelled, nothing is published, and the active model stays."""

import os
import signal
from typing import Any
from uuid import UUID

import pytest

from tests.faults.backend import (
    assert_published_once,
    expire_lease,
    files,
    insert_active_model,
    insert_job,
    staged,
    status,
)
from tests.faults.workers import Workers
from tests.support.shop import Shop
from worker.events import Event
from worker.job.progress import Stage

# 5 s are promised, on a machine that has a core to spare.
PROMISED_SECONDS = 5.0
BUSY = 4

STATEMENT = """UPDATE "TrainingJobs" SET "CancelRequestedAt" = now()
    WHERE "Id" = %s AND "Status" IN ('Pending', 'Running') RETURNING true AS cancelled"""
FUNCTION = "SELECT cancel_training_job(%s) AS cancelled"


def cancel(shop: Shop, job_id: UUID, way: str = FUNCTION) -> bool:
    with shop.connect() as connection:
        row = connection.execute(way, (job_id,)).fetchone()
    return row is not None and row["cancelled"]


def world(shop: Shop) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The models' rows and files that clients can see."""
    return shop.models_in_database(), files(shop)


@pytest.mark.parametrize("way", [STATEMENT, FUNCTION], ids=["by statement", "by function"])
def test_a_pending_job_is_cancelled_by_the_request_itself(shop: Shop, workers: Workers, way: str) -> None:
    job_id = insert_job(shop)
    assert cancel(shop, job_id, way)
    job = shop.job(job_id)
    assert (job["Status"], job["LeaseVersion"]) == ("Cancelled", 0)
    assert job["CompletedAt"] == job["CancelRequestedAt"]
    worker = workers.run_until_idle()
    assert Event.JOB_CLAIMED not in worker.names()
    assert shop.job(job_id) == job


def test_a_job_that_waits_to_be_tried_again_is_cancelled_by_the_request_itself(
    shop: Shop, workers: Workers
) -> None:
    job_id = insert_job(shop)
    worker = workers.start(RETRY_SECONDS="3600", FAULT="train:child:SIGKILL")
    worker.saw(Event.JOB_RETRIED)
    assert cancel(shop, job_id)
    assert shop.job(job_id)["Status"] == "Cancelled"


@pytest.mark.parametrize(
    ("training", "stage", "way"),
    [
        ("held", Stage.FETCH_PHOTOS, STATEMENT),
        ("held", Stage.DEPLOY, FUNCTION),
        ("stubborn", Stage.TRAIN, STATEMENT),
    ],
    ids=["as it begins", "as it ends", "with a child that ignores SIGTERM"],
)
def test_a_running_job_is_cancelled_as_soon_as_is_promised(
    shop: Shop, workers: Workers, training: str, stage: Stage, way: str
) -> None:
    insert_active_model(shop)
    before = world(shop)
    job_id = insert_job(shop)
    worker = workers.start(TRAINING=training, HOLD_AT=stage)
    worker.saw(Event.STAGE_STARTED, stage=stage)
    assert cancel(shop, job_id, way)
    job = status(shop, job_id, "Completed", "Failed", "Cancelled")
    assert job["Status"] == "Cancelled"
    seconds = (job["CompletedAt"] - job["CancelRequestedAt"]).total_seconds()
    assert 0 < seconds <= BUSY * PROMISED_SECONDS
    assert (job["LeasedUntil"], job["ErrorCode"], job["ResultModelVersion"]) == (None, None, None)
    worker.saw(Event.JOB_CANCELLED)
    worker.childless()
    assert world(shop) == before
    assert staged(shop) == []


@pytest.mark.parametrize("ending", ["its child dies", "its worker is stopped too often"])
def test_a_cancel_just_before_a_job_ends_badly_is_heard(shop: Shop, workers: Workers, ending: str) -> None:
    """A job whose cancellation was accepted must not be Failed."""
    job_id = insert_job(shop, max_attempts=1)
    worker = workers.start(TRAINING="held", HOLD_AT=Stage.TRAIN, MAX_INTERRUPTIONS="0")
    worker.saw(Event.STAGE_STARTED, stage=Stage.TRAIN)
    child = worker.child()
    assert cancel(shop, job_id)
    if ending == "its child dies":
        os.killpg(child, signal.SIGKILL)
    else:
        # The second SIGTERM asks for a stop at once.
        worker.signal(signal.SIGTERM)
        worker.saw(Event.WORKER_STOPPING)
        worker.signal(signal.SIGTERM)
    job = status(shop, job_id, "Completed", "Failed", "Cancelled")
    assert (job["Status"], job["ErrorCode"]) == ("Cancelled", None)


def test_the_worker_of_a_cancelled_job_goes_on_to_the_next(shop: Shop, workers: Workers) -> None:
    job_id, next_id = insert_job(shop), insert_job(shop)
    worker = workers.start(STUB_SECONDS="3")
    worker.saw(Event.CHILD_STARTED)
    assert cancel(shop, job_id)
    assert_published_once(shop, status(shop, next_id, "Completed", "Failed"))
    assert shop.job(job_id)["Status"] == "Cancelled"
    assert worker.names().count(Event.JOB_CANCELLED) == 1


def test_a_cancel_after_the_end_changes_nothing(shop: Shop, workers: Workers) -> None:
    job_id = insert_job(shop)
    workers.run_until_idle()
    before = shop.job(job_id), *world(shop)
    assert before[0]["Status"] == "Completed"
    for way in (STATEMENT, FUNCTION):
        assert not cancel(shop, job_id, way)
    workers.run_until_idle()
    assert (shop.job(job_id), *world(shop)) == before


def test_a_cancelled_job_whose_worker_was_killed_is_not_tried_again(shop: Shop, workers: Workers) -> None:
    insert_active_model(shop)
    before = world(shop)
    job_id = insert_job(shop)
    first = workers.start(FAULT="train:daemon:SIGKILL")
    first.ended()
    assert cancel(shop, job_id)
    expire_lease(shop, job_id)
    second = workers.start()
    assert second.saw(Event.JOB_RESCUED)["status"] == "Cancelled"
    job = shop.job(job_id)
    assert (job["Status"], job["LeaseVersion"], job["ErrorCode"]) == ("Cancelled", 1, None)
    assert job["CompletedAt"]
    assert world(shop) == before
    second.saw(Event.ORPHAN_REMOVED)
    assert staged(shop) == []
