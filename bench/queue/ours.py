"""Our side: the real worker with a stub of the training child."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from psycopg.rows import class_row, dict_row, scalar_row

from bench.queue.side import Connection, Job, Setup, Times
from worker.database.migrate import MIGRATIONS, migrate
from worker.database.sql import load_queries

QUERIES = load_queries(Path(__file__).with_suffix(".sql"))
NOBODY_LISTENS = "postgresql://127.0.0.1:1/nothing"

USUAL = Setup("defaults: LEASE_SECONDS=60", patience=60, cycle=20)
POLLING = Setup("no LISTEN, POLL_SECONDS=1", 60, 20, {"LISTEN_URL": NOBODY_LISTENS, "POLL_SECONDS": "1"})


def leased(seconds: int) -> Setup:
    """A lease of `seconds`, renewed after each third of it."""
    return Setup(f"LEASE_SECONDS={seconds}", seconds, seconds / 3, {"LEASE_SECONDS": str(seconds)})


@dataclass(frozen=True)
class Ours:
    name: str = "ours"
    packages: tuple[str, ...] = ("training-worker",)
    usual: Setup = USUAL
    child: str = "tests.faults.stub_child"

    def install(self, database: str) -> None:
        migrate(database, MIGRATIONS)

    def fill(self, connection: Connection, finished: int, future: int) -> None:
        connection.execute(QUERIES["insert_finished"], {"rows": finished})
        connection.execute(QUERIES["insert_future"], {"rows": future})

    def command(self, setup: Setup) -> list[str]:
        return [sys.executable, "-m", "bench.queue.stub_worker", "run"]

    def environment(self, setup: Setup, database: str, folder: Path, seconds: float) -> Mapping[str, str]:
        return {
            "DATABASE_URL": database,
            "STORAGE_PATH": str(folder),
            "OUTPUT_PATH": str(folder / "models"),
            "HEALTH_FILE": str(folder / "health"),
            "BASE_WEIGHTS": "random",
            "CHILD_MODULE": self.child,
            "STUB_SECONDS": str(seconds),
            **setup.environment,
        }

    def insert(self, connection: Connection) -> Job:
        job = connection.cursor(row_factory=dict_row).execute(QUERIES["insert"]).fetchone()
        assert job
        return job

    def times(self, connection: Connection, job: Job) -> Times:
        times = connection.cursor(row_factory=class_row(Times)).execute(QUERIES["times"], job).fetchone()
        assert times
        return times

    def given_up_at(self, connection: Connection, job: Job, setup: Setup) -> datetime:
        when = connection.cursor(row_factory=scalar_row).execute(QUERIES["leased_until"], job).fetchone()
        assert isinstance(when, datetime)
        return when
