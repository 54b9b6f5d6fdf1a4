"""The cost of a worker's frequent queries depends neither on the jobs that have ended nor on those in the future."""

import json
import re
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from worker.queue.jobs import QUERIES

ENDED, FUTURE = 20_000, 10_000
# Of 8 KiB. A query that read each job would read far more, and so would one that passed by those in the future.
MOST_BLOCKS = 60

USUAL: dict[str, Any] = {
    "worker_id": "w",
    "job_id": None,
    "passed_over": [],
    "lease_seconds": 60,
    "options_length": 100,
    "error_code": "worker_lost",
    "versions": ["v1700000077_20231114", "v1700000078_20231114"],
    "defaults": Jsonb({"seed": 0}),
    "aside": ["force"],
    "most": 100,
    "seconds": 24 * 3600,
    "refused": [],
}
# The indexes that each query uses, besides the primary key.
QUESTIONS: dict[str, set[str]] = {
    "claim": set(),
    "next_due": {"IX_TrainingJobs_Due"},
    "rescue": {"IX_TrainingJobs_Running"},
    "next_lost": {"IX_TrainingJobs_Running"},
    "seconds_until_next": {"IX_TrainingJobs_Due", "IX_TrainingJobs_Running"},
    "results": {"IX_TrainingJobs_ResultModelVersion"},
    "newest_result": {"IX_TrainingJobs_ResultModelVersion"},
    "prunable": {"IX_TrainingJobs_Ended"},
    "same_jobs": {"IX_TrainingJobs_Due"},
}

HISTORY = """
    INSERT INTO "TrainingJobs"
        ("Status", "CreatedAt", "RunAfter", "CompletedAt", "LeaseVersion", "ResultModelVersion")
    SELECT (ARRAY['Completed', 'Completed', 'Failed', 'Cancelled'])[1 + n % 4],
        now() - n * interval '1 minute', now() - n * interval '1 minute', now(), 1,
        CASE WHEN n % 4 < 2 THEN 'v' || 1700000000 + n || '_20231114' END
    FROM generate_series(1, {ended}) AS n
"""
PLANNED = """
    INSERT INTO "TrainingJobs" ("Priority", "RunAfter")
        SELECT n % 3, now() + n * interval '1 minute' FROM generate_series(1, {future}) AS n
"""
RUNNING = """
    INSERT INTO "TrainingJobs" ("Status", "WorkerId", "LeasedUntil")
        SELECT 'Running', 'w', now() + (n - 2) * interval '1 minute' FROM generate_series(1, 4) AS n
"""
DUE = """
    INSERT INTO "TrainingJobs" ("Priority", "RunAfter")
        SELECT n % 2, now() - n * interval '1 hour' FROM generate_series(1, 8) AS n
"""
UNFINISHED: dict[str, list[str]] = {
    "nothing to do": [],
    "jobs in the future": [PLANNED, RUNNING],
    "a few jobs to do": [PLANNED, RUNNING, DUE],
}


def explain(connection: psycopg.Connection[Any], name: str, values: dict[str, Any]) -> Any:
    """Run a query without keeping what it changes; return its plan."""
    with connection.transaction(force_rollback=True):
        query = b"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF, FORMAT JSON) " + QUERIES[name]
        row = connection.execute(query, values).fetchone()
    assert row
    return row[0][0]["Plan"]


@pytest.mark.parametrize("unfinished", UNFINISHED)
def test_what_is_asked_all_the_time_reads_only_jobs_that_are_to_be_done_now(
    database: str, unfinished: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(HISTORY.format(ended=ENDED).encode())
        for statement in UNFINISHED[unfinished]:
            connection.execute(statement.format(future=FUTURE).encode())
        connection.execute('VACUUM ANALYZE "TrainingJobs"')
        job = connection.execute("""SELECT "Id" FROM "TrainingJobs" WHERE "Status" = 'Pending'""").fetchone()
        other = connection.execute(
            """SELECT "Id" FROM "TrainingJobs" WHERE "Status" <> 'Pending'"""
        ).fetchone()
        jobs = {"rescue": None, "same_jobs": other and other[0]}
        for name, indexes in QUESTIONS.items():
            plan = explain(connection, name, USUAL | {"job_id": jobs.get(name, job and job[0])})
            text = json.dumps(plan, indent=2)
            assert set(re.findall(r'"Index Name": "(IX_\w+)"', text)) == indexes, f"{name}:\n{text}"
            assert "Seq Scan" not in text, f"{name}:\n{text}"
            assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < MOST_BLOCKS, f"{name}:\n{text}"
