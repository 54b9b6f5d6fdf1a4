"""Keeps a claimed job ours: renews its lease, with its progress, for as long as there is work on it."""

import asyncio
import random
import time
from typing import NoReturn

from worker.database.connection import OUTAGE, Database
from worker.queue.jobs import Claim, JobQueue, LeaseLost, Progress

# Progress is written when it changes, but not more often than people can read it.
MIN_SECONDS = 0.5


class Lease:
    """A claim and the time until which it can be trusted, by a clock that started before the database's."""

    def __init__(self, database: Database, queue: JobQueue, claim: Claim, claimed_at: float) -> None:
        self.claim = claim
        self._database, self._queue = database, queue
        self._trusted_until = claimed_at + queue.lease_seconds
        self._progress = Progress(0, "Starting")
        self._changed = asyncio.Event()

    @property
    def trusted(self) -> bool:
        """Whether the row must still be ours, even if the database cannot be asked."""
        return time.monotonic() < self._trusted_until

    def show(self, progress: Progress) -> None:
        """Have the row show `progress` soon."""
        self._progress = progress
        self._changed.set()

    async def keep(self) -> NoReturn:
        """Renew every third of the lease, or when progress changed; raises LeaseLost when it is over."""
        while True:
            self._changed.clear()
            await self._renew()
            await asyncio.sleep(MIN_SECONDS)
            try:
                async with asyncio.timeout(self._queue.lease_seconds / 3 - MIN_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _renew(self) -> None:
        while self.trusted:
            asked = time.monotonic()
            try:
                async with (
                    asyncio.timeout(self._trusted_until - asked),
                    self._database.transaction() as connection,
                ):
                    await self._queue.renew(connection, self.claim, self._progress)
            except OUTAGE:
                await asyncio.sleep(random.uniform(0.2, 1.0))
            else:
                self._trusted_until = asked + self._queue.lease_seconds
                return
        raise LeaseLost(f"job {self.claim.job_id} could not be renewed before its lease ran out")
