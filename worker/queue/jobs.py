"""The job queue: the operations of a worker on rows of "TrainingJobs"; knows nothing of a job's content."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import class_row, scalar_row

from worker.database.connection import is_outage
from worker.database.sql import load_queries
from worker.database.storable import said, storable
from worker.errors import ErrorCode, JobError
from worker.limits import MAX_OPTIONS_CHARACTERS
from worker.queue.claim import CancelRequested, Claim, JobEnd, JobStatus, LeaseLost, Progress, Rescued, State

QUERIES = load_queries(Path(__file__).with_name("jobs.sql"))

# A job expected to take longer has no "EstimatedCompletionAt".
LONGEST_ESTIMATE: Final = 366 * 24 * 3600.0

Connection = AsyncConnection[Any]


@dataclass(frozen=True)
class JobQueue:
    """The statements of `jobs.sql`; the caller passes the connection and commits.

    Every method with a claim raises `LeaseLost` when the claim no longer holds the row. Those that write raise
    `JobError` with `job_row_refused` where a constraint or trigger refuses the row. `passed_over` are the ids of
    jobs that are looked for no more.
    """

    worker_id: str
    lease_seconds: float
    passed_over: dict[UUID, str] = field(default_factory=dict, compare=False)

    async def claim(self, connection: Connection, job_id: UUID | None = None) -> Claim | None:
        """Claim the next due job, or the pending one with `job_id`; return `None` where there is none.

        Without `job_id`, in a transaction: otherwise another worker can claim the job that this one has found.
        """
        job_id = job_id or await self.next_due(connection)
        if job_id is None:
            return None
        async with connection.cursor(row_factory=class_row(Claim)) as cursor:
            values = {"lease_seconds": self.lease_seconds, "options_length": MAX_OPTIONS_CHARACTERS + 1}
            await cursor.execute(QUERIES["claim"], self._looking(job_id) | values)
            return await cursor.fetchone()

    async def next_due(self, connection: Connection) -> UUID | None:
        """Lock the next due job, which no other session has locked, and return its id."""
        due: UUID | None = await self._scalar(connection, "next_due")
        return due

    async def rescue(self, connection: Connection, job_id: UUID | None = None) -> list[Rescued]:
        """Put back the jobs whose lease has run out, or only the given one; fail those without attempts left."""
        async with connection.cursor(row_factory=class_row(Rescued)) as cursor:
            values = {"error_code": ErrorCode.WORKER_LOST}
            await cursor.execute(QUERIES["rescue"], self._looking(job_id) | values)
            return await cursor.fetchall()

    async def next_lost(self, connection: Connection) -> UUID | None:
        """Lock one of the jobs that `rescue` would take, and return its id."""
        lost: UUID | None = await self._scalar(connection, "next_lost")
        return lost

    async def seconds_until_next(self, connection: Connection) -> float | None:
        """Seconds until a job is due or a lease ends, from 0 to a day; `None` where there is neither."""
        seconds = await self._scalar(connection, "seconds_until_next")
        return None if seconds is None else float(seconds)

    async def look(self, connection: Connection, job_id: UUID) -> State | None:
        """The state of any job; `None` where there is no such job."""
        async with connection.cursor(row_factory=class_row(State)) as cursor:
            await cursor.execute(QUERIES["look"], {"job_id": job_id})
            return await cursor.fetchone()

    async def end_of(self, connection: Connection, job_id: UUID) -> JobEnd | None:
        """How any job ended, so far; `None` where there is no such job."""
        async with connection.cursor(row_factory=class_row(JobEnd)) as cursor:
            await cursor.execute(QUERIES["end_of"], {"job_id": job_id})
            return await cursor.fetchone()

    async def check(self, connection: Connection, claim: Claim) -> None:
        """Raise `CancelRequested` if the backend requested it, `LeaseLost` if the claim no longer holds the row."""
        state = await self.look(connection, claim.job_id)
        if state is None or state.status != JobStatus.RUNNING or not state.is_of(claim):
            raise lost(claim)
        if state.cancel_requested:
            raise CancelRequested

    async def renew(self, connection: Connection, claim: Claim, progress: Progress) -> None:
        """Write progress and extend the lease; the percentage never decreases within an attempt.

        Raises `CancelRequested` as well.
        """
        left = progress.seconds_left
        cursor = await self._write(
            connection,
            "renew",
            claim,
            percentage=min(max(progress.percentage, 0), 99),
            current_stage=progress.current_stage,
            seconds_left=None if left is None or not 0 <= left <= LONGEST_ESTIMATE else left,
            lease_seconds=self.lease_seconds,
        )
        if await cursor.fetchone() == (True,):
            raise CancelRequested

    async def complete(
        self, connection: Connection, claim: Claim, version: str, result: Mapping[str, object] | None = None
    ) -> None:
        """End the job as `Completed` with its model; raises `LeaseLost` also after a cancel request.

        `result` is further information for a backend, stored as JSON. Raises psycopg.errors.LockNotAvailable, without
        waiting, where another session has locked the row.
        """
        await self._write(connection, "complete", claim, version=version, result=result)

    async def fail(self, connection: Connection, claim: Claim, code: ErrorCode, message: str) -> JobStatus:
        """End the job as `Failed`, with a code for programs and a sentence for people.

        This, `retry` and `release` return the new status: `Cancelled` where that was requested.
        """
        return await self._end(connection, "fail", claim, error_code=code, error_message=message)

    async def retry(
        self, connection: Connection, claim: Claim, code: ErrorCode, message: str, delay_seconds: float
    ) -> JobStatus:
        """Put the job back for another attempt after a delay."""
        return await self._end(
            connection, "retry", claim, error_code=code, error_message=message, delay_seconds=delay_seconds
        )

    async def cancel(self, connection: Connection, claim: Claim) -> None:
        """End the job as `Cancelled`."""
        await self._write(connection, "cancel", claim)

    async def release(self, connection: Connection, claim: Claim, max_interruptions: int) -> JobStatus:
        """Put the job back without counting the attempt, because this worker must stop.

        After more than `max_interruptions` such stops, the job is `Failed`.
        """
        return await self._end(
            connection,
            "release",
            claim,
            max_interruptions=max_interruptions,
            error_code=ErrorCode.INTERRUPTED_TOO_OFTEN,
            error_message=f"It was interrupted more than {max_interruptions} times by workers that were stopped.",
        )

    async def _end(self, connection: Connection, query: str, claim: Claim, **values: object) -> JobStatus:
        row = await (await self._write(connection, query, claim, **values)).fetchone()
        assert row, f"{query} returns the status"
        return JobStatus(row[0])

    async def _write(
        self, connection: Connection, query: str, claim: Claim, **values: object
    ) -> AsyncCursor[Any]:
        held = {"job_id": claim.job_id, "lease_version": claim.lease_version, "worker_id": claim.worker_id}
        try:
            cursor = await connection.execute(QUERIES[query], held | storable(connection, values))
        except psycopg.Error as error:
            if is_outage(error):
                raise
            raise refused(error) from error
        if cursor.rowcount != 1:
            raise lost(claim)
        return cursor

    def _looking(self, job_id: UUID | None = None) -> dict[str, object]:
        return {"worker_id": self.worker_id, "job_id": job_id, "passed_over": list(self.passed_over)}

    async def _scalar(self, connection: Connection, query: str) -> Any:
        async with connection.cursor(row_factory=scalar_row) as cursor:
            await cursor.execute(QUERIES[query], {"passed_over": list(self.passed_over)})
            return await cursor.fetchone()


def refused(error: psycopg.Error) -> JobError:
    """The failure of a job whose row a constraint or a trigger of the backend protects from the worker."""
    return JobError(
        ErrorCode.JOB_ROW_REFUSED,
        f'The job\'s row in "TrainingJobs" was refused by the database: {said(error)} Have the constraint or trigger '
        "allow what docs/contract.md says the worker writes, then call retry_training_job.",
    )


def lost(claim: Claim) -> LeaseLost:
    return LeaseLost(f"job {claim.job_id} is no longer held with lease {claim.lease_version}")
