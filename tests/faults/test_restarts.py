"""Postgres restarts or crashes while a worker runs: no job is lost, and the worker needs no restart."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from demo.embedded_postgres import EmbeddedPostgres
from tests.faults.backend import assert_published_once, status
from tests.faults.workers import Workers
from tests.support.shop import Shop
from tests.support.waiting import wait_until
from worker.database.migrate import MIGRATIONS, migrate
from worker.events import Event

ENDED = ("Completed", "Failed", "Cancelled")


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A server for this module: the one that the tests share must not be restarted."""
    with EmbeddedPostgres() as server:
        yield server


@pytest.fixture
def shop(server: EmbeddedPostgres, tmp_path: Path) -> Shop:
    """A shop without products, which stubs do not need."""
    database = server.create_database(f"test_{secrets.token_hex(6)}")
    migrate(database, MIGRATIONS)
    return Shop(database, tmp_path / "storage", tmp_path / "models")


def crash(server: EmbeddedPostgres) -> None:
    server.kill()
    server.start()


@pytest.mark.parametrize("disturb", [EmbeddedPostgres.restart, crash])
def test_a_running_job_goes_on_while_postgres_comes_back(
    shop: Shop, server: EmbeddedPostgres, workers: Workers, disturb: Callable[[EmbeddedPostgres], None]
) -> None:
    job = shop.insert_job()
    worker = workers.start(STUB_SECONDS="3")
    worker.saw(Event.STAGE_STARTED, stage="build_model")
    disturb(server)
    row = status(shop, job, *ENDED)
    assert (row["Status"], row["AttemptCount"], row["LeaseVersion"]) == ("Completed", 1, 1)
    assert_published_once(shop, row)
    worker.saw(Event.JOB_COMPLETED)
    names = worker.names()
    assert names.count(Event.CHILD_STARTED) == 1
    assert names.count(Event.DATABASE_LOST) == names.count(Event.DATABASE_BACK) <= 1


@pytest.mark.parametrize("disturb", [EmbeddedPostgres.restart, crash])
def test_an_idle_worker_listens_again_once_postgres_is_back(
    shop: Shop, server: EmbeddedPostgres, workers: Workers, disturb: Callable[[EmbeddedPostgres], None]
) -> None:
    worker = workers.start(POLL_SECONDS="3600")
    worker.saw(Event.LISTENING)
    disturb(server)
    wait_until(lambda: worker.names().count(Event.LISTENING) >= 2, "listening again")
    job = shop.insert_job()
    # Long before POLL_SECONDS are over: it was told of the job.
    worker.saw(Event.JOB_CLAIMED, job_id=str(job))
    assert status(shop, job, *ENDED)["Status"] == "Completed"
    assert worker.names().count(Event.DATABASE_LOST) == worker.names().count(Event.DATABASE_BACK)


def test_a_hot_standby_is_waited_for_until_it_takes_writes(shop: Shop, workers: Workers) -> None:
    """A database that is read-only by default acts like a standby: it answers, but refuses writes."""
    name = conninfo_to_dict(shop.database)["dbname"]
    with shop.connect() as connection:
        job = shop.insert_job()
        read_only = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}")
        connection.execute(read_only.format(sql.Identifier(str(name)), sql.SQL("on")))
        worker = workers.start()
        worker.saw(Event.DATABASE_LOST)
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(read_only.format(sql.Identifier(str(name)), sql.SQL("off")))
    worker.saw(Event.JOB_COMPLETED)
    assert status(shop, job, "Completed")["AttemptCount"] == 1
    assert worker.names().count(Event.DATABASE_LOST) == worker.names().count(Event.DATABASE_BACK) == 1
