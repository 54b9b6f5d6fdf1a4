"""A renewed lease costs the database no index entry and leaves nothing to clean up."""

import psycopg
from psycopg.rows import TupleRow

from tests.support.waiting import wait_until
from worker.queue.jobs import QUERIES

RENEWALS = 300
# With jobs that have ended, as in any table but a new one, so that the pages are as full as they get.
ENDED = """INSERT INTO "TrainingJobs" ("Status", "CurrentStage", "ResultModelVersion")
    SELECT 'Completed', 'Completed', 'v' || n FROM generate_series(1, 500) AS n"""
RUNNING = """INSERT INTO "TrainingJobs" ("Status", "WorkerId", "LeasedUntil") VALUES ('Running', 'w', now())
    RETURNING "Id" """
COUNTED = """SELECT n_tup_upd, n_tup_hot_upd, n_dead_tup FROM pg_stat_user_tables
    WHERE relname = 'TrainingJobs' AND n_tup_upd >= %s"""


def renew(database: str) -> None:
    """Renew one job's lease many times, each in a transaction of its own."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(ENDED)
        row = connection.execute(RUNNING).fetchone()
        assert row
        connection.execute(ENDED)
        values = {
            "job_id": row[0],
            "lease_version": 0,
            "worker_id": "w",
            "seconds_left": 9.0,
            "lease_seconds": 60,
        }
        for number in range(RENEWALS):
            progress = {
                "percentage": number % 99,
                "current_stage": f"Looking at photos: {number} of {RENEWALS}",
            }
            assert connection.execute(QUERIES["renew"], values | progress).rowcount == 1


def test_nearly_every_renewal_replaces_the_row_within_its_page(database: str) -> None:
    renew(database)

    def counted() -> TupleRow | None:
        with psycopg.connect(database, autocommit=True) as connection:
            return connection.execute(COUNTED, (RENEWALS,)).fetchone()

    # A session's statistics are complete soon after its end.
    updates, hot, dead = wait_until(counted, "the statistics of the renewals")
    assert hot >= 0.98 * updates
    assert dead < 0.1 * updates
