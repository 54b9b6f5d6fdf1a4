"""The folder of the active model is not mounted, or damaged: nothing takes its place until people have seen to it."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.faults.backend import (
    completed_at_once,
    expire_lease,
    insert_job,
    staged,
    stands_still,
    status,
)
from tests.faults.workers import Worker, Workers
from tests.support.registered import activate, active, changes, publish
from tests.support.shop import Shop
from tests.support.waiting import wait_until
from worker.daemon import health
from worker.events import Event
from worker.registry.folder import METADATA

FIRST = "v1_20260101"


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    """A shop without products, whose active model is one of ours."""
    shop = Shop(database, tmp_path / "storage", tmp_path / "models")
    publish(shop, FIRST)
    activate(shop, FIRST)
    ours(shop)
    return shop


def ours(shop: Shop) -> None:
    """Give the row what only this worker writes."""
    metrics = '{"top1": 0.9375, "by_product": [], "by_product_left_out": 0}'
    with shop.connect() as connection:
        connection.execute('UPDATE "ModelMetadata" SET "AccuracyMetrics" = %s', (metrics,))


def refuses(worker: Worker, *words: str) -> None:
    """Wait until the worker has said why it claims nothing."""
    said = worker.saw(Event.OUTPUT_INCOMPLETE)
    assert said["level"] == "warning"
    for word in words:
        assert word in said["reason"]
    assert Event.JOB_CLAIMED not in worker.names()


def test_an_output_that_is_not_mounted_is_not_created_and_waited_for(shop: Shop, workers: Workers) -> None:
    elsewhere = shop.models.rename(shop.models.with_name("elsewhere"))
    job_id = insert_job(shop)
    worker = workers.start()
    refuses(worker, f"The active model {FIRST} is not whole", str(shop.models / FIRST), "worker models adopt")
    assert not shop.models.exists()
    job = shop.job(job_id)
    assert (job["Status"], job["AttemptCount"]) == ("Pending", 0)
    elsewhere.rename(shop.models)
    worker.saw(Event.OUTPUT_COMPLETE, version=FIRST)
    completed_at_once(shop, job_id, worker)
    assert worker.names().count(Event.OUTPUT_INCOMPLETE) == 1


def test_the_mount_point_alone_is_not_the_output_until_people_start_anew_on_it(
    shop: Shop, workers: Workers
) -> None:
    shutil.rmtree(shop.models)
    shop.models.mkdir()
    job_id = insert_job(shop)
    worker = workers.start()
    refuses(worker, str(shop.models / FIRST))
    assert shop.job(job_id)["Status"] == "Pending"
    assert list(shop.models.iterdir()) == []
    assert shop.worker("models", "adopt", "--yes").wait() == 0
    job = completed_at_once(shop, job_id, worker)
    assert changes(shop) == [(None, FIRST), (FIRST, None), (None, job["ResultModelVersion"])]


def test_a_damaged_model_of_ours_is_named_and_stays(shop: Shop, workers: Workers) -> None:
    path = shop.models / FIRST / "model.json"
    whole = path.read_bytes()
    path.write_bytes(whole[::-1])
    job_id = insert_job(shop)
    worker = workers.start()
    refuses(worker, FIRST, f"{path} was changed after it was published")
    assert (active(shop), changes(shop)) == (FIRST, [(None, FIRST)])
    path.write_bytes(whole)
    completed_at_once(shop, job_id, worker)


def test_a_whole_model_of_another_program_is_replaced(shop: Shop, workers: Workers) -> None:
    """What the script before this worker published has no record of its files, and other metrics."""
    (shop.models / FIRST / METADATA).unlink()
    with shop.connect() as connection:
        connection.execute("""UPDATE "ModelMetadata" SET "AccuracyMetrics" = '{"accuracy": 0.9}'""")
    worker = workers.start()
    job = completed_at_once(shop, insert_job(shop), worker)
    assert active(shop) == job["ResultModelVersion"]


def test_a_model_that_another_program_has_elsewhere_is_not_looked_for(shop: Shop, workers: Workers) -> None:
    shutil.rmtree(shop.models)
    with shop.connect() as connection:
        connection.execute("""UPDATE "ModelMetadata" SET "ModelPath" = '/srv/www/model/v1.json'""")
    worker = workers.start()
    job = completed_at_once(shop, insert_job(shop), worker)
    assert active(shop) == job["ResultModelVersion"]


def test_an_output_of_models_none_of_which_is_active_is_not_created_either(
    shop: Shop, workers: Workers
) -> None:
    with shop.connect() as connection:
        connection.execute('UPDATE "ModelMetadata" SET "IsActive" = false')
    shutil.rmtree(shop.models)
    insert_job(shop)
    refuses(workers.start(), f"OUTPUT_PATH {shop.models} is no folder", "create an empty one")
    assert not shop.models.exists()


def test_an_output_that_cannot_be_created_is_said_and_waited_for(shop: Shop, workers: Workers) -> None:
    with shop.connect() as connection:
        connection.execute('DELETE FROM "ModelMetadata"')
    parent = shop.models.with_name("file")
    parent.touch()
    job_id = insert_job(shop)
    worker = workers.start(OUTPUT_PATH=str(parent / "models"))
    refuses(worker, f"OUTPUT_PATH {parent / 'models'} cannot be used: Not a directory")
    parent.unlink()
    job = status(shop, job_id, "Completed", "Failed")
    assert (job["Status"], job["AttemptCount"]) == ("Completed", 1)


@pytest.mark.parametrize("unchanged", ["0", "1"])
def test_an_output_that_is_lost_while_a_job_runs_fails_the_attempt_and_not_the_live_model(
    shop: Shop, workers: Workers, unchanged: str, tmp_path: Path
) -> None:
    job_id = insert_job(shop)
    stage = "fetch_photos" if unchanged == "1" else "deploy"
    faults = {"FAULT": f"{stage}:child:SIGSTOP", "FAULT_ONCE": str(tmp_path / "struck")}
    worker = workers.start(STUB_UNCHANGED=unchanged, **faults)
    child = stands_still(worker)
    mounted = (shop.models / FIRST).rename(tmp_path / FIRST)
    os.killpg(child, signal.SIGCONT)
    said = worker.saw(Event.JOB_RETRIED)
    assert said["error_code"] == "output_incomplete"
    assert str(shop.models / FIRST) in said["error_message"]
    worker.saw(Event.OUTPUT_INCOMPLETE)
    assert (active(shop), list(shop.models.glob("v*"))) == (FIRST, [])
    mounted.rename(shop.models / FIRST)
    job = status(shop, job_id, "Completed", "Failed")
    assert (job["Status"], job["AttemptCount"]) == ("Completed", 2)


def test_a_child_whose_folder_is_lost_is_told_from_a_full_or_broken_disk(
    shop: Shop, workers: Workers, tmp_path: Path
) -> None:
    """The whole output goes away, so the child cannot write its files: not the storage is at fault."""
    job_id = insert_job(shop)
    worker = workers.start(FAULT="export:child:SIGSTOP")
    child = stands_still(worker)
    shop.models.rename(tmp_path / "elsewhere")
    os.killpg(child, signal.SIGCONT)
    worker.saw(Event.JOB_RETRIED, error_code="output_incomplete")
    assert shop.job(job_id)["Status"] == "Pending"


def test_an_output_that_hangs_is_said_and_keeps_no_worker_from_its_end(shop: Shop, workers: Workers) -> None:
    """Who opens a pipe to which nobody writes waits for ever, as in the folder of a server that is gone."""
    metadata = shop.models / FIRST / METADATA
    whole = metadata.read_bytes()
    metadata.unlink()
    os.mkfifo(metadata)
    job_id = insert_job(shop)
    pair = [workers.start(ANSWER_SECONDS="3") for _ in range(2)]
    for worker in pair:
        refuses(worker, f"OUTPUT_PATH {shop.models} has not answered for 3 seconds")
    assert shop.job(job_id)["Status"] == "Pending"
    pair[0].signal(signal.SIGTERM)
    assert pair[0].ended() == 0
    pipe = metadata.rename(shop.models.with_name("pipe"))
    metadata.write_bytes(whole)
    # Whoever waits reads nothing in it, which is no answer to what is asked now.
    os.close(os.open(pipe, os.O_RDWR))
    completed_at_once(shop, job_id, pair[1])


@pytest.mark.parametrize("request_cancel", [False, True])
def test_jobs_are_rescued_while_the_output_is_incomplete_and_their_files_go_when_it_is_back(
    shop: Shop, workers: Workers, request_cancel: bool, tmp_path: Path
) -> None:
    job_id = insert_job(shop)
    first = workers.start(FAULT="deploy:daemon:SIGKILL")
    assert first.ended() == -signal.SIGKILL
    [left] = staged(shop)
    elsewhere = shop.models.rename(tmp_path / "elsewhere")
    if request_cancel:
        with shop.connect() as connection:
            connection.execute("SELECT cancel_training_job(%s)", (job_id,))
    expire_lease(shop, job_id)
    second = workers.start()
    wanted = "Cancelled" if request_cancel else "Pending"
    assert second.saw(Event.JOB_RESCUED)["status"] == wanted
    assert status(shop, job_id, wanted)["AttemptCount"] == 1
    assert Event.JOB_CLAIMED not in second.names()
    elsewhere.rename(shop.models)
    assert second.saw(Event.ORPHAN_REMOVED)["path"].endswith(left)
    if not request_cancel:
        assert status(shop, job_id, "Completed", "Failed")["AttemptCount"] == 2
    wait_until(lambda: not staged(shop), "the staged folder to be gone")


def test_a_worker_that_cannot_claim_is_not_healthy_until_it_can(
    shop: Shop, workers: Workers, tmp_path: Path
) -> None:
    file = tmp_path / "health"
    file.touch()
    shop.models.rename(tmp_path / "elsewhere")
    worker = workers.start(HEALTH_FILE=str(file))
    worker.saw(Event.OUTPUT_INCOMPLETE)
    wait_until(lambda: not health.is_alive(file), "the health file to go")
    (tmp_path / "elsewhere").rename(shop.models)
    wait_until(lambda: health.is_alive(file), "the health file to be back")


@pytest.mark.parametrize("arguments", [["run", "--until-idle"], ["train", "--job-id"]])
def test_what_does_not_wait_ends_with_the_reason(
    shop: Shop, workers: Workers, arguments: list[str], tmp_path: Path
) -> None:
    shop.models.rename(tmp_path / "elsewhere")
    job_id = insert_job(shop)
    process = shop.worker(
        *arguments, *([str(job_id)] if arguments[0] == "train" else []), module="tests.faults.worker"
    )
    log, _ = process.communicate()
    assert process.returncode == 1
    assert f"worker: The active model {FIRST} is not whole" in log
    assert shop.job(job_id)["Status"] == "Pending"
