"""The job queue: what a worker may do to a row of "TrainingJobs", and nothing of what a job is."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

from worker.database.sql import load_queries
from worker.errors import ErrorCode

QUERIES = load_queries(Path(__file__).with_name("jobs.sql"))


@dataclass(frozen=True)
class Claim:
    """A job that is ours for as long as its row has this `lease_version`."""

    job_id: UUID
    lease_version: int
    attempt: int
    options: Any
    started_at: datetime
    waited: timedelta


@dataclass(frozen=True)
class Progress:
    """Where a running job is: 0 to 100, a sentence for people, and seconds until it ends, if known."""

    percentage: int
    stage: str
    seconds_left: float | None = None


class LeaseLost(Exception):
    """The job is no longer ours: another worker has it, or it was ended; write nothing more."""


@dataclass(frozen=True)
class JobQueue:
    """The statements of `jobs.sql`, each on a connection that the caller gives and commits.

    All but `claim` raise `LeaseLost` where the row is no longer ours.
    """

    worker_id: str
    lease_seconds: float

    async def claim(self, connection: AsyncConnection[Any], job_id: UUID | None = None) -> Claim | None:
        """Take the next due job, or the pending one with `job_id`; `None` where there is none."""
        async with connection.cursor(row_factory=class_row(Claim)) as cursor:
            await cursor.execute(
                QUERIES["claim"],
                {"worker_id": self.worker_id, "lease_seconds": self.lease_seconds, "job_id": job_id},
            )
            return await cursor.fetchone()

    async def renew(self, connection: AsyncConnection[Any], claim: Claim, progress: Progress) -> None:
        """Write progress and extend the lease; the percentage never goes back within an attempt."""
        await self._write(
            connection,
            "renew",
            claim,
            percentage=progress.percentage,
            stage=progress.stage,
            seconds_left=progress.seconds_left,
            lease_seconds=self.lease_seconds,
        )

    async def complete(self, connection: AsyncConnection[Any], claim: Claim, version: str) -> None:
        """End the job as `Completed` with the model that it made."""
        await self._write(connection, "complete", claim, version=version)

    async def fail(
        self, connection: AsyncConnection[Any], claim: Claim, code: ErrorCode, message: str
    ) -> None:
        """End the job as `Failed`, with a code for programs and a sentence for people."""
        await self._write(connection, "fail", claim, error_code=code, error_message=message)

    async def release(self, connection: AsyncConnection[Any], claim: Claim) -> None:
        """Give the job and its attempt back, because this worker was asked to stop."""
        await self._write(connection, "release", claim)

    async def completed_here(self, connection: AsyncConnection[Any], claim: Claim) -> bool:
        """Whether `complete` went through with this very claim."""
        async with connection.cursor(row_factory=scalar_row) as cursor:
            await cursor.execute(QUERIES["completed_here"], _held(claim))
            return bool(await cursor.fetchone())

    async def status(self, connection: AsyncConnection[Any], job_id: UUID) -> str | None:
        """The status of any job; `None` where there is no such job."""
        async with connection.cursor(row_factory=scalar_row) as cursor:
            await cursor.execute(QUERIES["status"], {"job_id": job_id})
            return await cursor.fetchone()

    async def _write(
        self, connection: AsyncConnection[Any], query: str, claim: Claim, **values: object
    ) -> None:
        cursor = await connection.execute(QUERIES[query], _held(claim) | values)
        if cursor.rowcount != 1:
            raise LeaseLost(f"job {claim.job_id} is no longer held with lease {claim.lease_version}")


def _held(claim: Claim) -> dict[str, object]:
    return {"job_id": claim.job_id, "lease_version": claim.lease_version}
