"""Storage that is full, read-only or unmounted during a job: each has its own error, and nothing is published."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.backend import stands_still, status
from tests.faults.workers import Workers
from tests.support.disks import AS_ROOT, mounted
from tests.support.registered import activate, publish
from tests.support.shop import Shop
from tests.support.waiting import DEADLINE
from worker.events import Event


def run(shop: Shop, **settings: str) -> list[str]:
    process = shop.worker("run", "--until-idle", RETRY_SECONDS="0", **settings)
    log, _ = process.communicate(timeout=2 * DEADLINE)
    assert process.returncode == 0, log
    return [json.loads(line)["event"] for line in log.splitlines()]


@AS_ROOT
@pytest.mark.parametrize("size", ["64k", "4300k"])
def test_a_full_disk_fails_the_job_and_leaves_the_active_model_alone(shop: Shop, size: str) -> None:
    """One size is too small for the first weights file, the other for the files after it."""
    job_id = shop.insert_job({"profile": "quick"})
    with mounted(shop.models, f"size={size}"):
        publish(shop, "v1_20260101")
        activate(shop, "v1_20260101")
        before = shop.models_in_database()
        run(shop)
        job = shop.job(job_id)
        assert (job["Status"], job["ErrorCode"]) == ("Failed", "storage_full"), job["ErrorMessage"]
        assert job["AttemptCount"] == 1
        assert [path.name for path in shop.models.glob("v*")] == ["v1_20260101"]
        assert list(shop.models.glob(".staging/*")) == []
    assert shop.models_in_database() == before


@AS_ROOT
def test_a_read_only_output_is_said_at_the_start_and_waited_for(shop: Shop, workers: Workers) -> None:
    job_id = shop.insert_job()
    with mounted(shop.models, "size=1m,ro"):
        worker = workers.start()
        said = worker.saw(Event.OUTPUT_INCOMPLETE)
        assert f"OUTPUT_PATH {shop.models} cannot be used: it cannot be written" in said["reason"]
        assert shop.job(job_id)["Status"] == "Pending"
    worker.saw(Event.OUTPUT_COMPLETE)
    assert status(shop, job_id, "Completed", "Failed")["AttemptCount"] == 1


def test_storage_that_is_unmounted_in_mid_job_is_waited_for(shop: Shop, workers: Workers) -> None:
    job_id = shop.insert_job({"profile": "quick"})
    elsewhere = shop.storage.with_name("elsewhere")
    settings = {"TRAINING": "real", "RETRY_SECONDS": "2"}
    worker = workers.start(FAULT="prepare_dataset:child:SIGSTOP", FAULT_ONCE=f"{elsewhere}-once", **settings)
    child = stands_still(worker)
    shop.storage.rename(elsewhere)
    os.kill(child, signal.SIGCONT)
    said = worker.saw(Event.JOB_RETRIED)
    assert said["error_code"] == "storage_unavailable"
    assert f"there is no folder {shop.storage}" in said["error_message"]
    elsewhere.rename(shop.storage)
    assert status(shop, job_id, "Completed", "Failed")["Status"] == "Completed"


def test_a_cache_that_cannot_be_written_costs_time_and_no_job(
    shop: Shop, workers: Workers, cache: Path
) -> None:
    """The child takes what is converted already in place of converting it, which takes a while."""
    job_id = shop.insert_job({"profile": "quick"})
    file = shop.models.with_name("file")
    file.touch()
    worker = workers.run_until_idle(
        TRAINING="real", CACHE_PATH=str(file / "cache"), CONVERTED=str(cache), TMPDIR=str(shop.models.parent)
    )
    job = shop.job(job_id)
    assert (job["Status"], job["AttemptCount"]) == ("Completed", 1), job["ErrorMessage"]
    said = [event for event in worker.events() if event["event"] == Event.CACHE_UNUSABLE]
    assert [each["level"] for each in said if "job_id" in each] == ["warning"]
    assert all(str(file) in each["reason"] for each in said)
    assert not list(shop.models.parent.glob("training-worker-*"))


def test_a_training_that_takes_too_much_memory_is_stopped_and_the_worker_lives_on(shop: Shop) -> None:
    with shop.connect() as connection:
        connection.execute('ALTER TABLE "TrainingJobs" ALTER "MaxAttempts" SET DEFAULT 2')
    job_id = shop.insert_job()
    events = run(shop, CHILD_MEMORY_MB="256")
    job = shop.job(job_id)
    assert (job["Status"], job["ErrorCode"], job["AttemptCount"]) == ("Failed", "out_of_memory", 2)
    assert "CHILD_MEMORY_MB, 256 MB" in job["ErrorMessage"]
    assert events[-1] == Event.WORKER_STOPPED


def test_a_training_that_hangs_times_out_and_is_not_tried_again(shop: Shop) -> None:
    stubborn = replace(shop, environment={"TRAINING": "stub", "STUB_SECONDS": "600", "JOB_TIMEOUT": "1"})
    job_id = stubborn.insert_job()
    process = stubborn.worker("run", "--until-idle", module="tests.faults.worker")
    process.communicate(timeout=DEADLINE)
    job = shop.job(job_id)
    assert (job["Status"], job["ErrorCode"], job["AttemptCount"]) == ("Failed", "timed_out", 1)
    assert "JOB_TIMEOUT, 1 seconds" in job["ErrorMessage"]
