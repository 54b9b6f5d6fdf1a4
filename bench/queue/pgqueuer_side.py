"""The side of pgqueuer on asyncpg, which exits when its listener fails, as its documentation advises."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pgqueuer.db import SyncPsycopgDriver
from pgqueuer.queries import SyncQueries
from psycopg.rows import class_row, scalar_row

from bench.queue.side import Connection, Job, Setup, Times, run
from worker.database.sql import load_queries

QUERIES = load_queries(Path(__file__).with_suffix(".sql"))
COMMAND = [sys.executable, "-m", "pgqueuer"]


def timed(words: str, heartbeat: int, dequeue: int) -> Setup:
    """A setup with heartbeats at half of their timeout, and a search for stale jobs at every dequeue timeout."""
    environment = {"HEARTBEAT_TIMEOUT": str(heartbeat), "DEQUEUE_TIMEOUT": str(dequeue)}
    return Setup(words, heartbeat, max(heartbeat / 2, dequeue), environment)


USUAL = timed("defaults: heartbeat timeout 30 s, dequeue timeout 30 s", 30, 30)


def patient(seconds: int) -> Setup:
    """A setup with a job given up after `seconds` of silence, and a search for such jobs every second."""
    return timed(f"heartbeat timeout {seconds} s, dequeue timeout 1 s", seconds, 1)


@dataclass(frozen=True)
class Pgqueuer:
    name: str = "pgqueuer"
    packages: tuple[str, ...] = ("pgqueuer", "asyncpg", "uvloop")
    usual: Setup = USUAL

    def install(self, database: str) -> None:
        for command in ("install", "autovac"):
            run([*COMMAND, command], {"PGQUEUER_DSN": database})

    def fill(self, connection: Connection, finished: int, future: int) -> None:
        connection.execute(QUERIES["insert_finished"], {"rows": finished})
        connection.execute(QUERIES["insert_future"], {"rows": future})

    def command(self, setup: Setup) -> list[str]:
        return [sys.executable, "-m", "bench.queue.pgqueuer_app"]

    def environment(self, setup: Setup, database: str, folder: Path, seconds: float) -> Mapping[str, str]:
        return {"PGQUEUER_DSN": database, "JOB_SECONDS": str(seconds), **setup.environment}

    def insert(self, connection: Connection) -> Job:
        return {"job": SyncQueries(SyncPsycopgDriver(connection)).enqueue("bench", None)[0]}

    def times(self, connection: Connection, job: Job) -> Times:
        times = connection.cursor(row_factory=class_row(Times)).execute(QUERIES["times"], job).fetchone()
        assert times
        return times

    def given_up_at(self, connection: Connection, job: Job, setup: Setup) -> datetime:
        values = {**job, "patience": setup.patience}
        when = connection.cursor(row_factory=scalar_row).execute(QUERIES["stale_at"], values).fetchone()
        assert isinstance(when, datetime)
        return when
