"""The daemon: claims jobs and runs them, one at a time."""

import asyncio
import os
import socket
import uuid
from typing import Any

import structlog

from worker.daemon.attempt import Attempt
from worker.daemon.child_process import Children
from worker.daemon.health import LOST_SECONDS
from worker.daemon.leftovers import Leftovers, log_removed
from worker.daemon.output import Output
from worker.daemon.retention import Retention
from worker.daemon.shutdown import Shutdown
from worker.database.connection import OUTAGE, Database, with_limits
from worker.database.migrate import refuse_pending
from worker.errors import UserError
from worker.events import Event
from worker.queue.claim import Rescued
from worker.queue.jobs import JobQueue
from worker.queue.lease import Lease
from worker.queue.rest import Rest
from worker.queue.retry import RECONNECT
from worker.queue.search import PassedOver, Search
from worker.queue.wakeup import Wakeup
from worker.registry.live import OutputIncomplete
from worker.registry.orphans import remove_staged
from worker.settings import Settings

GIVEN_UP = (
    "This worker had to stop before the job's end was written; it is done again when its lease is over."
)

log = structlog.get_logger()


class Daemon:
    """A worker process; `work` is its main loop."""

    def __init__(self, settings: Settings, database: Database, children: Children, status: int = 0) -> None:
        """`status` is the exit status of a process that must be ended by force."""
        self.settings = settings
        self.database = database
        self.children = children
        self.models = settings.output_path.absolute()
        self.output = Output(self.models)
        self.queue = JobQueue(new_worker_id(), settings.lease_seconds)
        self.search = Search(database, self.queue)
        self.rest = Rest(settings.poll_seconds)
        self.wakeup = Wakeup(settings.listen_url or settings.database_url)
        self.shutdown = Shutdown(settings.shutdown_grace, status)
        self.leftovers = Leftovers(self.models, database, self.shutdown)
        self.retention = Retention(settings, database)
        self._has_begun = False
        self._job_log: Any = None

    @property
    def is_ready(self) -> bool:
        """Whether this worker has begun and can claim jobs; an outage of Postgres counts when it goes on."""
        return self._has_begun and not self.output.fault and self.database.outage.seconds < LOST_SECONDS

    async def begin(self) -> None:
        """Raise OutputIncomplete where the active model is not whole; lost jobs are rescued all the same.

        On the first call also: raise UserError where the database cannot be used or lacks a migration, and remove
        orphans.
        """
        if not self._has_begun:
            await self.database.meet()
            # Logs an outage of Postgres, which the connection of `refuse_pending` would not.
            async with self.database.transaction():
                pass
            await asyncio.to_thread(refuse_pending, with_limits(self.settings.database_url))
        try:
            await self.output.require(self.database)
        except OutputIncomplete:
            await self._rescue()
            raise
        if not self._has_begun:
            await self.leftovers.remove()
            self._has_begun = True

    async def _rescue(self) -> None:
        """Rescue without a claim: who has cancelled a lost job, or waits for it, need not wait for the output."""
        for lost in await self.search.rescue():
            self._log_rescued(lost)
            # What it staged is out of reach, and goes with the orphans when the output is back.
            self._has_begun = False

    async def work(self, *, until_idle: bool) -> None:
        """Run one due job after another until SIGTERM or SIGINT, or with `until_idle` until none is due.

        Raises UserError; with `until_idle` also where the active model is not whole, which is waited for otherwise.
        """
        failures = 0
        while not self.shutdown.asked.is_set():
            self.wakeup.event.clear()
            try:
                if not await self.shutdown.allows(self.begin()):
                    return
                if await self.work_on_one() is None:
                    if await self.retention.step():
                        continue
                    if until_idle:
                        return
                    await self._pause(self.rest.seconds())
                else:
                    self.output.read_again()
                failures = 0
            except (*OUTAGE, OutputIncomplete) as error:
                if until_idle and isinstance(error, OutputIncomplete):
                    raise UserError(f"{error} No job was claimed.") from None
                failures += 1
                await self._pause(RECONNECT.seconds(failures))

    async def work_on_one(self, job_id: uuid.UUID | None = None) -> bool | None:
        """Claim the next job, or the one with `job_id`, and run it to its end.

        Returns whether it completed, `None` when there was none. Raises one of database.OUTAGE.
        """
        found = await self.search.next(job_id)
        for lost in found.rescued:
            self._log_rescued(lost)
            log_removed(remove_staged(self.models, lost.name, lost.ended_at))
        claim = found.claim
        if claim is None:
            self.rest.found_nothing(found.seconds)
            return None
        self._job_log = job_log = log.bind(job_id=str(claim.job_id), attempt=claim.attempt)
        waited = round(float(claim.waited_seconds), 3)
        job_log.info(Event.JOB_CLAIMED, waited_seconds=waited, options=claim.options)
        lease = Lease(self.database, self.queue, claim, found.asked)
        attempt = Attempt(self.settings, self.database, self.queue, lease, self.children, job_log)
        try:
            completed = await attempt.run(self.shutdown)
        except PassedOver as error:
            self.search.pass_over(claim.job_id, error)
            completed = False
        self._job_log = None
        return completed

    def give_up(self) -> None:
        """Log that the job, where there is one, is left to its lease: this process must end."""
        if self._job_log:
            self._job_log.warning(Event.LEASE_LOST, reason=GIVEN_UP)

    def _log_rescued(self, lost: Rescued) -> None:
        log.warning(
            Event.JOB_RESCUED,
            job_id=str(lost.job_id),
            lease_version=lost.lease_version,
            worker_id=lost.worker_id,
            status=lost.status,
            attempt=lost.attempt,
        )

    async def _pause(self, seconds: float) -> None:
        """Sleep until the time is over, or a notification or a signal comes."""
        waits = {asyncio.create_task(event.wait()) for event in (self.wakeup.event, self.shutdown.asked)}
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()


def new_worker_id() -> str:
    """A unique id for this process; the host and the process id in it are for people."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
