"""Other sessions of the shop that are in the way, for a chaos run: they hold locks, and end what waits for them as a
statement timeout does."""

import random
import time
from dataclasses import dataclass

import psycopg
from psycopg.errors import LockNotAvailable

from tests.support.shop import Rows, Shop

# Longer than a third of a lease of chaos, shorter than the lease.
HELD_SECONDS = 1.5
MODES = ("ROW EXCLUSIVE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE")
# A statement that is cancelled fails with the same code as one that takes too long.
CANCEL = """SELECT count(*) FILTER (WHERE pg_cancel_backend(pid)) AS cancelled
    FROM (SELECT DISTINCT pid FROM pg_locks WHERE NOT granted) AS waiting"""


@dataclass
class SessionsInTheWay:
    """What they did so far: how often they locked the models and how many jobs, and the statements they ended."""

    shop: Shop
    models: int = 0
    jobs: int = 0
    cancelled: int = 0

    def disturb(self) -> None:
        """Hold a table or some rows; every other time, end all statements that wait meanwhile."""
        with self.shop.connect() as connection, connection.transaction():
            random.choice((self._lock_models, self._lock_jobs))(connection)
            until, timeout = time.monotonic() + HELD_SECONDS, random.random() < 0.5
            while time.monotonic() < until:
                time.sleep(0.1)
                if timeout:
                    row = connection.execute(CANCEL).fetchone()
                    assert row
                    self.cancelled += row["cancelled"]

    def _lock_models(self, connection: Rows) -> None:
        connection.execute("SET LOCAL lock_timeout = '1s'")
        try:
            connection.execute(f'LOCK TABLE "ModelMetadata" IN {random.choice(MODES)} MODE'.encode())
        except LockNotAvailable:
            # A frozen worker has it.
            raise psycopg.Rollback from None
        self.models += 1

    def _lock_jobs(self, connection: Rows) -> None:
        locked = connection.execute(
            """SELECT FROM "TrainingJobs" WHERE "Status" IN ('Pending', 'Running') AND random() < 0.5
            FOR UPDATE SKIP LOCKED"""
        )
        self.jobs += locked.rowcount
