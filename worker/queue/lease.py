"""Holds a claimed job: renews its lease and writes its progress while the job runs."""

import asyncio
import contextlib
import time
from typing import NoReturn

from worker.database.connection import OUTAGE, Database
from worker.queue.claim import Claim, LeaseLost, Progress
from worker.queue.jobs import JobQueue
from worker.queue.retry import HOLD

# Shortest time between two writes of progress; people do not read it more often.
WRITE_SECONDS = 1.0
# Longest time until a cancel request is seen; a read is cheaper for the table than a renewal.
LOOK_SECONDS = 2.0
# The rest of the lease is for stopping the child before another worker can claim the job.
TRUSTED_SHARE = 0.9


class Lease:
    """A claim, and the time until which it surely holds, counted from before the database set the lease."""

    def __init__(self, database: Database, queue: JobQueue, claim: Claim, claimed_at: float) -> None:
        self.claim = claim
        self.progress = Progress(0, "Starting")
        self._database, self._queue = database, queue
        self._renewed_at = claimed_at
        self._changed = asyncio.Event()

    @property
    def trusted(self) -> bool:
        """Whether the claim must still hold the row, even when the database cannot be reached."""
        return self._seconds_of_trust() > 0

    def show(self, progress: Progress) -> None:
        """Set the progress that the next renewal writes, which follows soon."""
        self.progress = progress
        self._changed.set()

    async def keep(self) -> NoReturn:
        """Renew every third of the lease, or when progress changed.

        Raises LeaseLost when the claim no longer holds the job, or this cannot be verified in time;
        CancelRequested when the backend requested it.
        """
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            third_is_over = time.monotonic() - self._renewed_at > self._queue.lease_seconds / 3 - LOOK_SECONDS
            await self._ask(renew=self._changed.is_set() or third_is_over)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS - WRITE_SECONDS):
                    await self._changed.wait()

    async def _ask(self, *, renew: bool) -> None:
        failures = 0
        while self.trusted:
            # A task of its own: without an answer, even its cancellation can take longer than the trusted time.
            asking = asyncio.create_task(self._renew() if renew else self._look())
            try:
                await asyncio.wait({asking}, timeout=self._seconds_of_trust())
                if not asking.done():
                    break
                return asking.result()
            except OUTAGE:
                failures += 1
                await asyncio.sleep(HOLD.seconds(failures))
            finally:
                asking.add_done_callback(_ignore)
                asking.cancel()
        raise LeaseLost(f"job {self.claim.job_id} could not be renewed before its lease ran out")

    async def _renew(self) -> None:
        asked = time.monotonic()
        self._changed.clear()
        async with self._database.transaction() as connection:
            await self._queue.renew(connection, self.claim, self.progress)
        self._renewed_at = asked

    async def _look(self) -> None:
        async with self._database.transaction() as connection:
            await self._queue.check(connection, self.claim)

    def _seconds_of_trust(self) -> float:
        return self._renewed_at + TRUSTED_SHARE * self._queue.lease_seconds - time.monotonic()


def _ignore(task: asyncio.Task[None]) -> None:
    """Retrieve an abandoned task's exception, so that asyncio does not print it."""
    if not task.cancelled():
        task.exception()
