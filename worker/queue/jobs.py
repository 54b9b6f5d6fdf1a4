"""The job queue: the operations of a worker on rows of "TrainingJobs"; knows nothing of a job's content."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import class_row, scalar_row
from psycopg.types.json import Jsonb

from worker.database.sql import load_queries
from worker.errors import ErrorCode

QUERIES = load_queries(Path(__file__).with_name("jobs.sql"))

Connection = AsyncConnection[Any]


class JobStatus(StrEnum):
    """The values of the column "Status"; docs/contract.md describes the transitions."""

    PENDING = "Pending"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


@dataclass(frozen=True)
class Named:
    """A job's id and the lease version of one claim of it."""

    job_id: UUID
    lease_version: int

    @property
    def name(self) -> str:
        """A unique name of this claim, for `JobQueue.is_held`."""
        return f"{self.job_id}.{self.lease_version}"


@dataclass(frozen=True)
class Claim(Named):
    """A job that this worker holds as long as its row has this `lease_version`."""

    attempt: int
    max_attempts: int
    options: Any
    started_at: datetime
    waited: timedelta


@dataclass(frozen=True)
class Progress:
    """A running job's percentage (0 to 100), the text for "CurrentStage", and the seconds until it ends, if known."""

    percentage: int
    current_stage: str
    seconds_left: float | None = None


@dataclass(frozen=True)
class State:
    """The current state of any job's row."""

    status: JobStatus
    lease_version: int
    cancel_requested: bool


@dataclass(frozen=True)
class Rescued(Named):
    """A claim whose lease ran out, its worker, and the new status of its job."""

    status: JobStatus
    worker_id: str
    attempt: int


class LeaseLost(Exception):
    """This worker no longer holds the job: another worker has it, or it has ended. Write nothing more to its row."""


class CancelRequested(Exception):
    """This worker holds the job, and the backend has requested its cancellation."""


@dataclass(frozen=True)
class JobQueue:
    """The statements of `jobs.sql`; the caller passes the connection and commits.

    Every method with a claim raises `LeaseLost` when the claim no longer holds the row.
    """

    worker_id: str
    lease_seconds: float

    async def claim(self, connection: Connection, job_id: UUID | None = None) -> Claim | None:
        """Claim the next due job, or the pending one with `job_id`; return `None` where there is none."""
        async with connection.cursor(row_factory=class_row(Claim)) as cursor:
            await cursor.execute(
                QUERIES["claim"],
                {"worker_id": self.worker_id, "lease_seconds": self.lease_seconds, "job_id": job_id},
            )
            return await cursor.fetchone()

    async def rescue(self, connection: Connection) -> list[Rescued]:
        """Put back the jobs whose lease has run out; fail those without attempts left."""
        async with connection.cursor(row_factory=class_row(Rescued)) as cursor:
            await cursor.execute(QUERIES["rescue"], {"error_code": ErrorCode.WORKER_LOST})
            return await cursor.fetchall()

    async def seconds_until_next(self, connection: Connection) -> float | None:
        """Seconds until a job is due or a lease ends; below 0 if one already is, `None` where there is neither."""
        async with connection.cursor(row_factory=scalar_row) as cursor:
            await cursor.execute(QUERIES["seconds_until_next"])
            return await cursor.fetchone()

    async def look(self, connection: Connection, job_id: UUID) -> State | None:
        """The state of any job; `None` where there is no such job."""
        async with connection.cursor(row_factory=class_row(State)) as cursor:
            await cursor.execute(QUERIES["look"], {"job_id": job_id})
            return await cursor.fetchone()

    async def check(self, connection: Connection, claim: Claim) -> None:
        """Raise `CancelRequested` if the backend requested it, `LeaseLost` if the claim no longer holds the row."""
        state = await self.look(connection, claim.job_id)
        if state is None or (state.status, state.lease_version) != (JobStatus.RUNNING, claim.lease_version):
            raise lost(claim)
        if state.cancel_requested:
            raise CancelRequested

    async def is_held(self, connection: Connection, name: str) -> bool:
        """Whether the claim with this name still holds its job."""
        job_id, _, lease_version = name.partition(".")
        state = await self._look_by_name(connection, job_id)
        return state is not None and (state.status, str(state.lease_version)) == (
            JobStatus.RUNNING,
            lease_version,
        )

    async def is_result(self, connection: Connection, version: str) -> bool:
        """Whether a job has completed with this model; the model itself may be gone."""
        cursor = await connection.execute(QUERIES["is_result"], {"version": version})
        return await cursor.fetchone() == (True,)

    async def ended_without_model(self, connection: Connection, job_id: str) -> bool:
        """Whether this job exists and has failed or was cancelled."""
        state = await self._look_by_name(connection, job_id)
        return state is not None and state.status in (JobStatus.FAILED, JobStatus.CANCELLED)

    async def renew(self, connection: Connection, claim: Claim, progress: Progress) -> None:
        """Write progress and extend the lease; the percentage never decreases within an attempt.

        Raises `CancelRequested` as well.
        """
        cursor = await self._write(
            connection,
            "renew",
            claim,
            percentage=progress.percentage,
            current_stage=progress.current_stage,
            seconds_left=progress.seconds_left,
            lease_seconds=self.lease_seconds,
        )
        if await cursor.fetchone() == (True,):
            raise CancelRequested

    async def complete(
        self, connection: Connection, claim: Claim, version: str, result: Mapping[str, object] | None = None
    ) -> None:
        """End the job as `Completed` with its model; raises `LeaseLost` also after a cancel request.

        `result` is further information for a backend, stored as JSON.
        """
        await self._write(
            connection, "complete", claim, version=version, result=None if result is None else Jsonb(result)
        )

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

    async def _look_by_name(self, connection: Connection, job_id: str) -> State | None:
        try:
            return await self.look(connection, UUID(job_id))
        except ValueError:
            return None

    async def _end(self, connection: Connection, query: str, claim: Claim, **values: object) -> JobStatus:
        row = await (await self._write(connection, query, claim, **values)).fetchone()
        assert row, f"{query} returns the status"
        return JobStatus(row[0])

    async def _write(
        self, connection: Connection, query: str, claim: Claim, **values: object
    ) -> AsyncCursor[Any]:
        held = {"job_id": claim.job_id, "lease_version": claim.lease_version}
        cursor = await connection.execute(QUERIES[query], held | values)
        if cursor.rowcount != 1:
            raise lost(claim)
        return cursor


def lost(claim: Claim) -> LeaseLost:
    return LeaseLost(f"job {claim.job_id} is no longer held with lease {claim.lease_version}")
