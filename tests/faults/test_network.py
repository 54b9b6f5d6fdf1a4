"""Faults of the network between the worker and Postgres: no job is lost or done twice."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest

from tests.faults.backend import assert_published_once, commits_held, status, wait_for_commit
from tests.faults.proxy import Proxy
from tests.faults.workers import SHORT_LEASE, Worker, Workers
from tests.support.shop import Shop
from tests.support.waiting import living, wait_until
from worker.events import Event

ENDED = ("Completed", "Failed", "Cancelled")


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    """A shop without products, which stubs do not need; the test itself does not use the proxy."""
    return Shop(database, tmp_path / "storage", tmp_path / "models")


@pytest.fixture
def proxy(database: str) -> Iterator[Proxy]:
    with Proxy(database) as proxy:
        yield proxy


def assert_done_once_by_one_child(shop: Shop, job: UUID, worker: Worker) -> None:
    row = status(shop, job, *ENDED)
    assert (row["Status"], row["AttemptCount"], row["LeaseVersion"]) == ("Completed", 1, 1)
    assert_published_once(shop, row)
    worker.saw(Event.JOB_COMPLETED)
    names = worker.names()
    assert (names.count(Event.CHILD_STARTED), names.count(Event.LEASE_LOST)) == (1, 0)
    assert names.count(Event.DATABASE_LOST) == names.count(Event.DATABASE_BACK) <= 1


def assert_listens(shop: Shop, worker: Worker, times: int) -> None:
    """It has begun to listen for the nth time, and takes a job long before POLL_SECONDS, an hour, are over."""
    wait_until(lambda: worker.names().count(Event.LISTENING) >= times, f"listening {times} times")
    job = shop.insert_job()
    worker.saw(Event.JOB_CLAIMED, job_id=str(job))
    assert status(shop, job, *ENDED)["Status"] == "Completed"


def test_a_job_outlives_the_reset_of_every_connection(shop: Shop, proxy: Proxy, workers: Workers) -> None:
    job = shop.insert_job()
    worker = workers.start(DATABASE_URL=proxy.url, STUB_SECONDS="2")
    worker.saw(Event.STAGE_STARTED, stage="build_model")
    proxy.reset()
    assert_done_once_by_one_child(shop, job, worker)


def test_a_job_outlives_a_silence_that_is_shorter_than_its_lease(
    shop: Shop, proxy: Proxy, workers: Workers
) -> None:
    job = shop.insert_job()
    worker = workers.start(DATABASE_URL=proxy.url, STUB_SECONDS="2")
    worker.saw(Event.STAGE_STARTED, stage="build_model")
    proxy.silence()
    # The child ends during the silence, so that the last write has to wait.
    worker.saw(Event.STAGE_FINISHED, stage="deploy")
    time.sleep(1)
    assert shop.job(job)["Status"] == "Running"
    proxy.resume()
    assert_done_once_by_one_child(shop, job, worker)


def test_a_job_outlives_an_outage_that_takes_most_of_its_lease(
    shop: Shop, proxy: Proxy, workers: Workers
) -> None:
    job = shop.insert_job()
    worker = workers.start(DATABASE_URL=proxy.url, STUB_SECONDS="18", LEASE_SECONDS="28")
    worker.saw(Event.STAGE_STARTED, stage="fetch_photos")
    proxy.refuse()
    # Pauses that double from 1 s on would have ended, and the next one when the lease is over.
    time.sleep(15.7)
    proxy.resume()
    assert_done_once_by_one_child(shop, job, worker)


def test_a_final_commit_whose_answer_is_lost_is_not_done_again(
    shop: Shop, proxy: Proxy, workers: Workers
) -> None:
    job = shop.insert_job()
    proxy.lose_answer(b"'Completed'", b"COMMIT")
    worker = workers.start(DATABASE_URL=proxy.url, STUB_SECONDS="0.3")
    assert_done_once_by_one_child(shop, job, worker)
    worker.saw(Event.DATABASE_BACK)


def test_a_final_commit_that_is_heard_of_only_after_the_lease_is_not_called_lost(
    shop: Shop, proxy: Proxy, workers: Workers
) -> None:
    job = shop.insert_job()
    with commits_held(shop):
        worker = workers.start(DATABASE_URL=proxy.url, LEASE_SECONDS=SHORT_LEASE)
        wait_for_commit(shop)
        wait_until(lambda: lease_is_over(shop, job), "the end of the lease")
        proxy.silence()
    row = status(shop, job, "Completed")
    proxy.reset()
    proxy.resume()
    worker.saw(Event.MODEL_PUBLISHED)
    assert_done_once_by_one_child(shop, job, worker)
    assert shop.job(job) == row


def test_a_silent_network_ends_the_work_before_the_lease_does(
    shop: Shop, proxy: Proxy, workers: Workers
) -> None:
    job = shop.insert_job()
    cut_off = workers.start(DATABASE_URL=proxy.url, STUB_SECONDS="600", LEASE_SECONDS="20")
    child = cut_off.child()
    cut_off.saw(Event.STAGE_STARTED, stage="fetch_photos")
    proxy.silence()
    wait_until(lambda: lease_is_over(shop, job), "the end of the lease")
    assert not living(child), "it is at work on a job that another worker may have by now"

    other = workers.start()
    row = status(shop, job, *ENDED)
    other.saw(Event.JOB_COMPLETED)
    assert (row["Status"], row["AttemptCount"], row["LeaseVersion"]) == ("Completed", 2, 2)
    other.kill()

    proxy.resume()
    following = shop.insert_job()
    cut_off.saw(Event.JOB_CLAIMED, job_id=str(following))
    cut_off.saw(Event.LEASE_LOST, job_id=str(job))
    assert shop.job(job) == row
    assert_published_once(shop, row)


def lease_is_over(shop: Shop, job: UUID) -> bool:
    with shop.connect() as connection:
        row: Any = connection.execute(
            'SELECT now() > "LeasedUntil" AS over FROM "TrainingJobs" WHERE "Id" = %s', (job,)
        ).fetchone()
    return bool(row["over"])


def test_an_idle_worker_that_is_refused_waits_quietly_and_takes_what_came_meanwhile(
    shop: Shop, proxy: Proxy, workers: Workers
) -> None:
    worker = workers.start(DATABASE_URL=proxy.url, POLL_SECONDS="0.1")
    worker.saw(Event.LISTENING)
    proxy.refuse()
    worker.saw(Event.DATABASE_LOST)
    worker.saw(Event.LISTEN_LOST)
    lines, spent, began = worker.names(), cpu_seconds(worker), time.monotonic()
    job = shop.insert_job()
    time.sleep(4)
    assert worker.process.poll() is None
    assert len(worker.names()) <= len(lines) + 1, "it says again and again what is known"
    assert cpu_seconds(worker) - spent < 0.2 * (time.monotonic() - began)
    proxy.resume()
    assert_done_once_by_one_child(shop, job, worker)
    assert worker.names().count(Event.DATABASE_LOST) == 1


def cpu_seconds(worker: Worker) -> float:
    times = psutil.Process(worker.process.pid).cpu_times()
    return times.user + times.system


def test_a_worker_that_was_refused_listens_again(shop: Shop, proxy: Proxy, workers: Workers) -> None:
    worker = workers.start(DATABASE_URL=proxy.url, POLL_SECONDS="3600")
    worker.saw(Event.LISTENING)
    proxy.refuse()
    worker.saw(Event.LISTEN_LOST)
    worker.saw(Event.DATABASE_LOST)
    meanwhile = shop.insert_job()
    proxy.resume()
    assert_done_once_by_one_child(shop, meanwhile, worker)
    assert_listens(shop, worker, times=2)


def test_a_silent_connection_is_noticed_and_replaced_by_one_that_listens(
    shop: Shop, proxy: Proxy, workers: Workers
) -> None:
    worker = workers.start(DATABASE_URL=proxy.url, POLL_SECONDS="3600")
    worker.saw(Event.LISTENING)
    proxy.silence()
    worker.saw(Event.LISTEN_LOST)
    proxy.resume()
    assert_listens(shop, worker, times=2)
