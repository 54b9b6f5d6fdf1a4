"""Completes, together with a job, the pending jobs that want the same: ten edits need no ten trainings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from worker.database.connection import is_outage
from worker.database.storable import storable
from worker.queue.claim import Claim
from worker.queue.jobs import QUERIES, Connection, JobQueue

MOST: Final = 100
"""Most jobs that one completes with itself, which bounds its last transaction; the next one takes the others along."""


@dataclass(frozen=True)
class Same:
    """A pending job that wants what a claimed one makes, and the version of its row; `forced` jobs want a training."""

    job_id: UUID
    row_version: str
    forced: bool | None


async def same_jobs(
    connection: Connection, queue: JobQueue, claim: Claim, defaults: Mapping[str, Any], aside: Sequence[str]
) -> list[Same]:
    """The due pending jobs with the options of a claimed job, at most MOST; call it before the training reads anything.

    `defaults` are the values of keys that options lack; the keys in `aside` may differ. Needs a transaction of its own.
    """
    values = {"defaults": Jsonb(dict(defaults)), "aside": list(aside), "most": MOST}
    looking = {"job_id": claim.job_id, "passed_over": list(queue.passed_over)}
    try:
        async with connection.cursor(row_factory=class_row(Same)) as cursor:
            await cursor.execute(QUERIES["same_jobs"], looking | values)
            return await cursor.fetchall()
    except psycopg.Error as error:
        if is_outage(error):
            raise
        # Options of another row that Postgres cannot compare are no fault of this job.
        return []


async def coalesce(
    connection: Connection, claim: Claim, same: Sequence[Same], version: str, result: Mapping[str, object]
) -> list[UUID]:
    """Complete the jobs of `same_jobs` whose rows did not change since, in the transaction that completes `claim`.

    Returns their ids. Never waits for a lock. Where a constraint or trigger of the backend refuses one of them, all are
    left, to be done by themselves.
    """
    if not same:
        return []
    given = {"version": version, "result": {**result, "coalesced_into": str(claim.job_id)}}
    seen = {
        "worker_id": claim.worker_id,
        "job_ids": [each.job_id for each in same],
        "row_versions": [each.row_version for each in same],
    }
    try:
        async with connection.transaction():
            cursor = await connection.execute(QUERIES["coalesce"], storable(connection, given) | seen)
            return [job_id for (job_id,) in await cursor.fetchall()]
    except psycopg.Error as error:
        if is_outage(error):
            raise
        return []
