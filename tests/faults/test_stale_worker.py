"""A worker that was suspended past its lease, as by a hypervisor, detects the lost lease and changes nothing."""

import os
import signal
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.faults.backend import (
    assert_published_once,
    files,
    insert_job,
    models_locked,
    staged,
    status,
    wait_for_deploy,
)
from tests.faults.workers import SHORT_LEASE, Worker, Workers
from tests.support.shop import Shop
from worker.events import Event
from worker.job.progress import Stage


def stop(worker: Worker, child: int) -> None:
    """Suspend all the worker's processes at once, as a pause of the whole machine does."""
    worker.signal(signal.SIGSTOP)
    os.killpg(child, signal.SIGSTOP)


def go_on(worker: Worker, child: int) -> None:
    os.killpg(child, signal.SIGCONT)
    worker.signal(signal.SIGCONT)


def world(shop: Shop, job_id: UUID) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, int]]:
    """All that a stale worker must not change: the job's row, the models' rows and files."""
    return shop.job(job_id), shop.models_in_database(), files(shop)


def done_by_another(shop: Shop, workers: Workers, job_id: UUID) -> None:
    """Have a second worker rescue and complete the job, and stop it."""
    second = workers.start()
    job = status(shop, job_id, "Completed", "Failed")
    assert (job["Status"], job["AttemptCount"], job["LeaseVersion"]) == ("Completed", 2, 2)
    second.signal(signal.SIGTERM)
    assert second.ended() == 0
    assert_published_once(shop, job)


def assert_next_is_done(shop: Shop, worker: Worker) -> None:
    next_id = insert_job(shop)
    job = status(shop, next_id, "Completed", "Failed")
    assert (job["Status"], job["AttemptCount"]) == ("Completed", 1)
    assert job["WorkerId"] == worker.events()[0]["worker"]
    assert staged(shop) == []


def test_a_worker_that_slept_past_its_lease_changes_nothing_and_goes_on(
    shop: Shop, workers: Workers, tmp_path: Path
) -> None:
    job_id = insert_job(shop)
    # The child waits for the test in its stage; later ones do not.
    once = str(tmp_path / "struck")
    first = workers.start(FAULT="deploy:child:SIGSTOP", FAULT_ONCE=once, LEASE_SECONDS=SHORT_LEASE)
    first.saw(Event.STAGE_STARTED, stage=Stage.DEPLOY)
    child = first.child()
    stop(first, child)
    done_by_another(shop, workers, job_id)
    before = world(shop, job_id)
    go_on(first, child)
    first.saw(Event.LEASE_LOST)
    first.childless()
    assert world(shop, job_id) == before
    assert_next_is_done(shop, first)
    assert world(shop, job_id)[0] == before[0]
    assert first.names().count(Event.JOB_COMPLETED) == 1


def test_a_worker_that_slept_in_its_last_transaction_changes_nothing_and_goes_on(
    shop: Shop, workers: Workers
) -> None:
    """Postgres ends the transaction of a silent client, and with it its lock on the models."""
    job_id = insert_job(shop)
    with models_locked(shop):
        first = workers.start(LEASE_SECONDS=SHORT_LEASE)
        wait_for_deploy(shop)
        first.signal(signal.SIGSTOP)
    done_by_another(shop, workers, job_id)
    before = world(shop, job_id)
    first.signal(signal.SIGCONT)
    first.saw(Event.LEASE_LOST)
    first.childless()
    assert world(shop, job_id) == before
    assert_next_is_done(shop, first)
    assert world(shop, job_id)[0] == before[0]
