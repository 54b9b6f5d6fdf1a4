"""The cost of a worker's frequent queries does not depend on the number of ended jobs."""

import re
from typing import Any

import psycopg
import pytest

from worker.queue.jobs import QUERIES

ENDED = 100_000

USUAL: dict[str, Any] = {"worker_id": "w", "job_id": None, "passed_over": []}
# The further parameters of each query, and the indexes that it uses.
QUESTIONS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "claim": ({"lease_seconds": 60, "options_length": 100}, {"IX_TrainingJobs_Claim"}),
    "next_due": ({}, {"IX_TrainingJobs_Claim"}),
    "rescue": ({"error_code": "worker_lost"}, {"IX_TrainingJobs_Leases"}),
    "next_lost": ({}, {"IX_TrainingJobs_Leases"}),
    "seconds_until_next": ({}, {"IX_TrainingJobs_Claim", "IX_TrainingJobs_Leases"}),
}

HISTORY = """
    INSERT INTO "TrainingJobs" ("Status", "CreatedAt", "RunAfter", "CompletedAt", "LeaseVersion")
        SELECT (ARRAY['Completed', 'Completed', 'Failed', 'Cancelled'])[1 + n % 4],
            now() - n * interval '1 minute', now() - n * interval '1 minute', now(), 1
        FROM generate_series(1, {ended}) AS n
"""
UNFINISHED = """
    INSERT INTO "TrainingJobs" ("Status", "Priority", "RunAfter")
        SELECT 'Pending', n % 3, now() + (n - 4) * interval '1 hour' FROM generate_series(1, 8) AS n;
    INSERT INTO "TrainingJobs" ("Status", "WorkerId", "LeasedUntil")
        SELECT 'Running', 'w', now() + (n - 2) * interval '1 minute' FROM generate_series(1, 4) AS n
"""


@pytest.mark.parametrize("unfinished", ["", UNFINISHED], ids=["nothing to do", "a few jobs to do"])
def test_what_is_asked_all_the_time_reads_only_jobs_that_have_not_ended(
    database: str, unfinished: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(HISTORY.format(ended=ENDED).encode())
        connection.execute(unfinished.encode())
        connection.execute('ANALYZE "TrainingJobs"')
        for name, (values, indexes) in QUESTIONS.items():
            rows = connection.execute(b"EXPLAIN (COSTS OFF) " + QUERIES[name], USUAL | values).fetchall()
            plan = "\n".join(row[0] for row in rows)
            used = set(re.findall(r'(?:using|Scan on) "(IX_\w+)"', plan))
            assert used == indexes, f"{name}:\n{plan}"
            assert "Seq Scan" not in plan, f"{name}:\n{plan}"
