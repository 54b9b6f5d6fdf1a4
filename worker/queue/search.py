"""Looks for jobs, and passes over the rows that refuse to be changed: one row never stops a worker."""

import time
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import psycopg
import structlog

from worker.database.connection import Database, is_outage
from worker.database.storable import said
from worker.errors import UserError
from worker.events import Event
from worker.queue.claim import Claim, Rescued
from worker.queue.jobs import JobQueue

# The id of no job: a statement that fails even for this one is not refused by a row.
NOBODY: Final = UUID(int=0)
# With more of them it is not the rows.
MOST_PASSED_OVER: Final = 1000

log = structlog.get_logger()


class PassedOver(Exception):
    """Nothing can be written to a job's row, not even its failure."""


NOT_CHANGED: Final = PassedOver("A trigger leaves the row as it is, without an error.")


@dataclass(frozen=True)
class Found:
    """The rescued jobs and the claimed one; `asked` is the time of `time.monotonic` before its claim.

    Without a claim, `seconds` are those until a job is due or a lease ends, as `JobQueue.seconds_until_next` says.
    """

    asked: float
    rescued: list[Rescued]
    claim: Claim | None
    seconds: float | None


@dataclass(frozen=True)
class Search:
    """Rescues and claims in one short transaction; only where the database refuses it, one row at a time."""

    database: Database
    queue: JobQueue

    async def next(self, job_id: UUID | None = None) -> Found:
        """Rescue what is lost, then claim the next due job, or the one with `job_id`.

        A job whose row refuses this is named once in the log and looked for no more. Raises one of
        database.OUTAGE, or another psycopg.Error where no row is to blame.
        """
        asked = time.monotonic()
        try:
            async with self.database.transaction() as connection:
                rescued = await self.queue.rescue(connection)
                claim = await self.queue.claim(connection, job_id)
                seconds = None if claim else await self.queue.seconds_until_next(connection)
                return Found(asked, rescued, claim, seconds)
        except psycopg.Error as error:
            if is_outage(error):
                raise
        async with self.database.transaction() as connection:
            await self.queue.rescue(connection, NOBODY)
            await self.queue.claim(connection, NOBODY)
        rescued = await self.rescue()
        while True:
            asked, refused = time.monotonic(), len(self.queue.passed_over)
            claim = await self._claim_one(job_id)
            if claim or job_id or len(self.queue.passed_over) == refused:
                return Found(asked, rescued, claim, None if claim else await self._seconds())

    async def rescue(self) -> list[Rescued]:
        """Rescue what is lost, one row at a time; passes over and raises as `next`."""
        rescued: list[Rescued] = []
        while True:
            lost: UUID | None = None
            try:
                async with self.database.transaction() as connection:
                    lost = await self.queue.next_lost(connection)
                    found = await self.queue.rescue(connection, lost) if lost else []
            except psycopg.Error as error:
                self._blame(lost, error)
                continue
            if lost is None:
                return rescued
            rescued += found
            if not found:
                self.pass_over(lost, NOT_CHANGED)

    def pass_over(self, job_id: UUID, error: Exception) -> None:
        """Look for this job no more, and log why. Raises UserError after too many of them."""
        reason = said(error) if isinstance(error, psycopg.Error) else str(error)
        self.queue.passed_over[job_id] = reason
        log.error(Event.JOB_PASSED_OVER, job_id=str(job_id), reason=reason)
        if len(self.queue.passed_over) > MOST_PASSED_OVER:
            raise UserError(f"The database refuses to change more than {MOST_PASSED_OVER} jobs: {reason}")

    async def _claim_one(self, job_id: UUID | None) -> Claim | None:
        due: UUID | None = None
        try:
            async with self.database.transaction() as connection:
                due = job_id or await self.queue.next_due(connection)
                claim = await self.queue.claim(connection, due) if due else None
        except psycopg.Error as error:
            self._blame(due, error)
            return None
        if due and not claim and not job_id:
            self.pass_over(due, NOT_CHANGED)
        return claim

    async def _seconds(self) -> float | None:
        async with self.database.transaction() as connection:
            return await self.queue.seconds_until_next(connection)

    def _blame(self, job_id: UUID | None, error: psycopg.Error) -> None:
        if job_id is None or is_outage(error):
            raise error
        self.pass_over(job_id, error)
