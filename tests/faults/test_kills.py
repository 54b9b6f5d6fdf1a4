"""SIGKILL of the daemon or its child at every stage: the job completes once, or fails with the reason."""

import os
import signal
from pathlib import Path
from uuid import UUID

import pytest

from tests.faults.backend import (
    assert_clean,
    assert_nothing_published,
    assert_published_once,
    commits_held,
    expire_lease,
    insert_job,
    models_locked,
    staged,
    status,
    wait_for_commit,
    wait_for_deploy,
)
from tests.faults.workers import SHORT_LEASE, Worker, Workers
from tests.support.shop import Shop
from tests.support.waiting import DEADLINE, wait_until
from worker.daemon.temporary import PREFIX
from worker.events import Event
from worker.job.progress import Stage

KILLED = -9


def assert_rescued(shop: Shop, job_id: UUID, dead: Worker, second: Worker) -> None:
    job = status(shop, job_id, "Completed", "Failed")
    assert (job["Status"], job["AttemptCount"], job["LeaseVersion"]) == ("Completed", 2, 2), job
    assert (job["ErrorCode"], job["InterruptionCount"], job["ProgressPercentage"]) == (None, 0, 100)
    lost = second.saw(Event.JOB_RESCUED)
    assert (lost["job_id"], lost["status"], lost["attempt"]) == (str(job_id), "Pending", 1)
    assert lost["worker_id"] == dead.events()[0]["worker"]
    assert_published_once(shop, job)


@pytest.mark.parametrize("stage", list(Stage))
def test_a_killed_worker_is_found_out_and_another_does_its_job(
    shop: Shop, workers: Workers, stage: Stage, tmp_path: Path
) -> None:
    faults = {"FAULT": f"{stage}:daemon:SIGKILL", "FAULT_ONCE": str(tmp_path / "struck")}
    pair = [workers.start(STUB_SECONDS="0.1", POLL_SECONDS="0.5", **faults) for _ in range(2)]
    for worker in pair:
        worker.saw(Event.LISTENING)
    job_id = insert_job(shop)
    first = wait_until(lambda: [worker for worker in pair if worker.process.poll()], "a killed worker")[0]
    pair.remove(first)
    assert first.ended() == KILLED
    first.childless()
    expire_lease(shop, job_id)
    assert_rescued(shop, job_id, first, pair[0])


def test_a_killed_worker_is_found_out_by_one_that_starts_later_and_leaves_nothing_behind(
    shop: Shop, workers: Workers, tmp_path: Path
) -> None:
    job_id = insert_job(shop)
    (tmp_path / "tmp").mkdir()
    first = workers.start(
        STUB_SECONDS="0.1",
        FAULT="train:daemon:SIGKILL",
        LEASE_SECONDS=SHORT_LEASE,
        TMPDIR=str(tmp_path / "tmp"),
    )
    assert first.ended() == KILLED
    [left] = staged(shop)
    [temporary] = tmp_path.glob(f"tmp/{PREFIX}*/*")
    # It looks again when the lease is over.
    second = workers.start(POLL_SECONDS="3600", TMPDIR=str(tmp_path / "tmp"))
    assert_rescued(shop, job_id, first, second)
    assert second.saw(Event.ORPHAN_REMOVED)["path"].endswith(left)
    assert_clean(shop)
    assert not temporary.exists()
    second.signal(signal.SIGTERM)
    assert second.ended() == 0
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_worker_and_then_a_child_killed_while_tensorflow_trains_are_both_survived(
    shop: Shop, workers: Workers, tmp_path: Path
) -> None:
    job_id = shop.insert_job({"epochs": 1})
    first = workers.start(TRAINING="real", FAULT="train:daemon:SIGKILL")
    assert first.ended() == KILLED
    first.childless()
    expire_lease(shop, job_id)
    once = str(tmp_path / "struck")
    second = workers.start(TRAINING="real", FAULT="train:child:SIGKILL", FAULT_ONCE=once)
    job = status(shop, job_id, "Completed", "Failed", seconds=2 * DEADLINE)
    assert (job["Status"], job["AttemptCount"], job["LeaseVersion"]) == ("Completed", 3, 3), job
    assert "SIGKILL" in second.saw(Event.CHILD_DIED)["reason"]
    assert_published_once(shop, job)
    second.childless()


def test_a_worker_killed_before_its_last_commit_has_published_nothing(shop: Shop, workers: Workers) -> None:
    job_id = insert_job(shop)
    with models_locked(shop):
        first = workers.start()
        wait_for_deploy(shop)
        first.process.kill()
        first.childless()
    assert list(shop.models.glob("v*")) == []
    expire_lease(shop, job_id)
    assert_rescued(shop, job_id, first, workers.start())


def test_a_worker_killed_in_a_last_commit_that_goes_through_has_done_its_job(
    shop: Shop, workers: Workers
) -> None:
    job_id = insert_job(shop)
    with commits_held(shop):
        first = workers.start()
        wait_for_commit(shop)
        first.process.kill()
        assert first.ended() == KILLED
    job = status(shop, job_id, "Completed", "Failed")
    assert (job["Status"], job["AttemptCount"], job["LeaseVersion"]) == ("Completed", 1, 1)
    second = workers.run_until_idle()
    assert Event.JOB_RESCUED not in second.names()
    assert_published_once(shop, job)
    assert list(shop.models.glob(".staging/*/*")) == []


@pytest.mark.parametrize("max_attempts", [1, 2])
def test_a_folder_whose_last_commit_was_lost_with_its_worker_goes_a_day_after_its_job_failed(
    shop: Shop, workers: Workers, max_attempts: int
) -> None:
    """Where a later attempt completed the job, the folder stays: only an operator can decide to remove it."""
    job_id = insert_job(shop, max_attempts)
    with commits_held(shop), shop.connect() as connection:
        first = workers.start()
        commit = wait_for_commit(shop)
        first.process.kill()
        assert first.ended() == KILLED
        connection.execute("SELECT pg_terminate_backend(%s)", (commit,))
    assert shop.models_in_database() == []
    [unregistered] = shop.models.glob("v*")
    expire_lease(shop, job_id)
    workers.run_until_idle()
    assert unregistered.exists(), "a backend could be about to write its row"
    for folder in shop.models.glob("v*"):
        os.utime(folder, (0, 0))
    later = workers.run_until_idle()
    published = [shop.models / model["Version"] for model in shop.models_in_database()]
    if max_attempts == 1:
        assert shop.job(job_id)["Status"] == "Failed"
        assert published == list(shop.models.glob("v*")) == []
    else:
        assert shop.job(job_id)["Status"] == "Completed"
        assert set(shop.models.glob("v*")) == {unregistered, *published}
        assert later.saw(Event.ORPHANS_LEFT)["paths"] == [str(unregistered)]


def test_a_job_whose_workers_are_always_killed_fails_with_worker_lost(shop: Shop, workers: Workers) -> None:
    job_id = insert_job(shop, max_attempts=2)
    for attempt in (1, 2):
        last = workers.start(FAULT="train:daemon:SIGKILL")
        assert last.ended() == KILLED
        assert shop.job(job_id)["AttemptCount"] == attempt
        expire_lease(shop, job_id)
    bystander = workers.start()
    job = status(shop, job_id, "Completed", "Failed")
    assert (job["Status"], job["ErrorCode"], job["AttemptCount"]) == ("Failed", "worker_lost", 2)
    assert job["ErrorMessage"] == (
        f"The worker {last.events()[0]['worker']} was not heard of any more, and this was attempt 2 of 2."
    )
    assert job["CompletedAt"]
    assert job["LeasedUntil"] is None
    assert bystander.saw(Event.JOB_RESCUED)["status"] == "Failed"
    assert_nothing_published(shop)


@pytest.mark.parametrize("stage", list(Stage))
def test_a_killed_child_is_noticed_and_the_job_tried_again(
    shop: Shop, workers: Workers, stage: Stage, tmp_path: Path
) -> None:
    job_id = insert_job(shop)
    faults = {"FAULT": f"{stage}:child:SIGKILL", "FAULT_ONCE": str(tmp_path / "struck")}
    assert_tried_again(shop, job_id, workers.start(STUB_SECONDS="0.1", **faults))


def assert_tried_again(shop: Shop, job_id: UUID, worker: Worker) -> None:
    job = status(shop, job_id, "Completed", "Failed")
    assert (job["Status"], job["AttemptCount"], job["LeaseVersion"]) == ("Completed", 2, 2), job
    assert (job["ErrorCode"], job["ErrorMessage"]) == (None, None)
    assert "SIGKILL" in worker.saw(Event.CHILD_DIED)["reason"]
    assert worker.saw(Event.JOB_RETRIED)["error_code"] == "child_died"
    assert worker.saw(Event.JOB_COMPLETED)["attempt"] == 2
    assert_published_once(shop, job)
    assert staged(shop) == []


def test_a_job_whose_children_are_always_killed_fails_with_child_died(shop: Shop, workers: Workers) -> None:
    job_id = insert_job(shop)
    worker = workers.start(FAULT="train:child:SIGKILL")
    job = status(shop, job_id, "Completed", "Failed")
    assert (job["Status"], job["ErrorCode"], job["AttemptCount"]) == ("Failed", "child_died", 3)
    assert job["ErrorMessage"] == "The training process ended without a result (killed by SIGKILL)."
    worker.saw(Event.JOB_FAILED, error_code="child_died")
    assert worker.names().count(Event.CHILD_DIED) == 3
    assert worker.names().count(Event.JOB_RETRIED) == 2
    assert_nothing_published(shop)
    assert staged(shop) == []
