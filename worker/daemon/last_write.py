"""The last write to a job's row other than its completion: fail it, put it back, cancel it or release it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from worker.child.messages import Failed
from worker.database.connection import LOCKED, OUTAGE, Database
from worker.database.storable import said
from worker.errors import CAUSES, ErrorCode
from worker.events import Event
from worker.queue.claim import Claim, JobStatus, LeaseLost
from worker.queue.jobs import Connection, JobQueue
from worker.queue.lease import Lease
from worker.queue.retry import HOLD, WHILE_LOCKED, job_backoff
from worker.texts import clean


@dataclass(frozen=True)
class LastWrite:
    """Ends a claim in the row and in the log. Every method raises LeaseLost when the claim no longer holds the job,
    and JobError `job_row_refused` when the database refuses the row."""

    database: Database
    queue: JobQueue
    lease: Lease
    log: Any

    @property
    def claim(self) -> Claim:
        return self.lease.claim

    async def fail(self, failed: Failed, retry_seconds: float) -> None:
        """Put the job back if the error is transient and attempts are left; otherwise fail it."""
        message = clean(failed.message)
        fields: dict[str, Any] = {"error_code": failed.code, "error_message": message}
        if failed.trace:
            fields["exception"] = failed.trace
        if CAUSES[failed.code].may_pass and self.claim.attempt < self.claim.max_attempts:
            delay = job_backoff(retry_seconds).seconds(self.claim.attempt)
            status = await self.write(
                lambda connection: self.queue.retry(connection, self.claim, failed.code, message, delay)
            )
            self._log_end(
                status, {JobStatus.PENDING: Event.JOB_RETRIED}, delay_seconds=round(delay, 1), **fields
            )
        else:
            status = await self.write(
                lambda connection: self.queue.fail(connection, self.claim, failed.code, message)
            )
            self._log_end(status, {}, **fields)

    async def cancel(self) -> None:
        """End the job as `Cancelled`."""
        await self.write(lambda connection: self.queue.cancel(connection, self.claim))
        self.log.info(Event.JOB_CANCELLED)

    async def release(self, max_interruptions: int) -> None:
        """Put the job back without counting the attempt, because this worker must stop."""
        status = await self.write(
            lambda connection: self.queue.release(connection, self.claim, max_interruptions)
        )
        fields = {"error_code": ErrorCode.INTERRUPTED_TOO_OFTEN} if status == JobStatus.FAILED else {}
        self._log_end(status, {JobStatus.PENDING: Event.JOB_RELEASED}, **fields)

    async def write(self, statement: Callable[[Connection], Awaitable[Any]]) -> Any:
        """Run `statement` in a transaction of its own, repeated as in `until_written`."""

        async def write() -> Any:
            async with self.database.transaction() as connection:
                return await statement(connection)

        return await self.until_written(write)

    async def until_written(self, write: Callable[[], Awaitable[Any]]) -> Any:
        """Repeat a final write while Postgres is unavailable or another session has what it needs, and the lease is
        trusted; and once more after that.

        The last one finds out whether a commit without an answer succeeded; it cannot change a job of another
        worker.
        """
        failures = 0
        while True:
            trusted = self.lease.trusted
            try:
                return await write()
            except OUTAGE as error:
                if not trusted:
                    raise LeaseLost("the last write was not done before the lease ran out") from None
                failures += 1
                if isinstance(error, LOCKED):
                    # The first time it may have been this worker's own renewal.
                    if failures == 2:
                        self.log.warning(Event.LOCK_AWAITED, reason=said(error))
                    await asyncio.sleep(WHILE_LOCKED.seconds(failures))
                else:
                    await asyncio.sleep(HOLD.seconds(failures))

    def _log_end(self, status: JobStatus, events: dict[JobStatus, Event], **fields: Any) -> None:
        """Log the job's new status, which is `Cancelled` if a cancel request came just before."""
        ends = {JobStatus.FAILED: Event.JOB_FAILED, JobStatus.CANCELLED: Event.JOB_CANCELLED}
        event = (events | ends)[status]
        level = self.log.info
        if fields:
            level = self.log.error if status == JobStatus.FAILED else self.log.warning
        level(event, **fields)
