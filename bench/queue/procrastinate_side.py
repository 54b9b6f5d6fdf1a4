"""The side of procrastinate, started by its own command line, with the periodic task that its documentation advises."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from psycopg.rows import class_row, dict_row, scalar_row

from bench.queue.side import Connection, Job, Setup, Times, run
from worker.database.sql import load_queries

QUERIES = load_queries(Path(__file__).with_suffix(".sql"))
COMMAND = [sys.executable, "-m", "procrastinate", "--app=bench.queue.procrastinate_app.app"]


def watched(words: str, cron: str, beat: float, patience: float) -> Setup:
    """A setup with a retry of stalled jobs at every tick of `cron`, and heartbeats every `beat` seconds."""
    environment = {"RETRY_CRON": cron, "HEARTBEAT_SECONDS": str(beat), "STALLED_SECONDS": str(patience)}
    return Setup(words, patience, beat, environment)


# The values of its guide “Retry stalled jobs” and its defaults.
USUAL = watched(
    "as documented: heartbeat 10 s, stalled 30 s, retry task every 10 min", "*/10 * * * *", 10, 30
)


def patient(seconds: int) -> Setup:
    """A setup with a job given up after `seconds` of silence, and a retry every second, cron's shortest period."""
    beat = max(1.0, seconds // 3)
    words = f"heartbeat {beat:g} s, stalled {seconds} s, retry task every 1 s"
    return watched(words, "* * * * * */1", beat, seconds)


@dataclass(frozen=True)
class Procrastinate:
    name: str = "procrastinate"
    packages: tuple[str, ...] = ("procrastinate", "psycopg")
    usual: Setup = USUAL

    def install(self, database: str) -> None:
        run(
            [*COMMAND, "schema", "--apply"],
            {"DATABASE_URL": database, "JOB_SECONDS": "0", **self.usual.environment},
        )

    def fill(self, connection: Connection, finished: int, future: int) -> None:
        connection.execute(QUERIES["insert_finished"], {"rows": finished})
        connection.execute(QUERIES["insert_future"], {"rows": future})

    def command(self, setup: Setup) -> list[str]:
        return [*COMMAND, "worker"]

    def environment(self, setup: Setup, database: str, folder: Path, seconds: float) -> Mapping[str, str]:
        return {"DATABASE_URL": database, "JOB_SECONDS": str(seconds), **setup.environment}

    def insert(self, connection: Connection) -> Job:
        job = connection.cursor(row_factory=dict_row).execute(QUERIES["insert"]).fetchone()
        assert job
        return job

    def times(self, connection: Connection, job: Job) -> Times:
        times = connection.cursor(row_factory=class_row(Times)).execute(QUERIES["times"], job).fetchone()
        assert times
        return times

    def given_up_at(self, connection: Connection, job: Job, setup: Setup) -> datetime:
        values = {**job, "patience": setup.patience}
        when = connection.cursor(row_factory=scalar_row).execute(QUERIES["stalled_at"], values).fetchone()
        assert isinstance(when, datetime)
        return when
