"""Other sessions of the shop that are in the way, for a chaos run: they hold locks, and end statements as a statement
timeout does."""

import random
import time
from dataclasses import dataclass

import psycopg
from psycopg.errors import LockNotAvailable

from tests.support.shop import Shop

# Longer than a third of a lease of chaos, shorter than the lease.
HELD_SECONDS = 1.5
MODES = ("ROW EXCLUSIVE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE")
CANCELLING_SECONDS = 0.5
# A statement that is cancelled fails with the same code as one that takes too long.
CANCEL = """SELECT count(*) FILTER (WHERE pg_cancel_backend(pid)) AS cancelled FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()"""


@dataclass
class SessionsInTheWay:
    """What they did so far: tables and rows locked, statements cancelled."""

    shop: Shop
    tables: int = 0
    rows: int = 0
    cancelled: int = 0

    def disturb(self) -> None:
        """Do one of the three."""
        random.choice((self._hold_models, self._hold_jobs, self._cancel_statements))()

    def _hold_models(self) -> None:
        mode = random.choice(MODES)
        with self.shop.connect() as connection, connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '1s'")
            try:
                connection.execute(f'LOCK TABLE "ModelMetadata" IN {mode} MODE'.encode())
            except LockNotAvailable:
                # A frozen worker has it.
                raise psycopg.Rollback from None
            time.sleep(HELD_SECONDS)
            self.tables += 1

    def _hold_jobs(self) -> None:
        with self.shop.connect() as connection, connection.transaction():
            held = connection.execute(
                """SELECT FROM "TrainingJobs" WHERE "Status" IN ('Pending', 'Running') AND random() < 0.5
                FOR UPDATE SKIP LOCKED"""
            )
            time.sleep(HELD_SECONDS)
            self.rows += held.rowcount

    def _cancel_statements(self) -> None:
        until = time.monotonic() + CANCELLING_SECONDS
        with self.shop.connect() as connection:
            while time.monotonic() < until:
                row = connection.execute(CANCEL).fetchone()
                assert row
                self.cancelled += row["cancelled"]
