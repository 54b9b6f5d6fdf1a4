"""The daemon: claims jobs and runs them, one at a time."""

import asyncio
import os
import random
import socket
import uuid
from pathlib import Path
from typing import Any

import structlog

from worker.daemon.attempt import Attempt
from worker.daemon.child_process import Children
from worker.daemon.health import LOST_SECONDS
from worker.daemon.output import Output
from worker.daemon.shutdown import Shutdown
from worker.database.connection import OUTAGE, Database, database_time, with_limits
from worker.database.migrate import refuse_pending
from worker.errors import UserError
from worker.events import Event
from worker.queue.claim import Rescued
from worker.queue.jobs import JobQueue
from worker.queue.lease import Lease
from worker.queue.retry import RECONNECT
from worker.queue.search import PassedOver, Search
from worker.queue.wakeup import Wakeup
from worker.registry.live import OutputIncomplete
from worker.registry.models import is_registered, lock
from worker.registry.orphans import remove_orphans, remove_staged
from worker.registry.prune import pruned, put_back
from worker.settings import Settings

# Largest number of paths in a log line; with a wrong database, every folder is an orphan.
NAMED_ORPHANS = 20

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
        self.wakeup = Wakeup(settings.listen_url or settings.database_url)
        self.shutdown = Shutdown(settings.shutdown_grace, status)
        self._has_begun = False
        self._job_log: Any = None

    @property
    def is_ready(self) -> bool:
        """Whether this worker has begun and can claim jobs; an outage of Postgres counts when it goes on."""
        return self._has_begun and not self.output.fault and self.database.outage.seconds < LOST_SECONDS

    async def begin(self) -> None:
        """Raise OutputIncomplete where the active model is not whole.

        On the first call also: raise UserError where the database cannot be used or lacks a migration, and remove
        orphans.
        """
        if not self._has_begun:
            await self.database.meet()
            # Logs an outage of Postgres, which the connection of `refuse_pending` would not.
            async with self.database.transaction():
                pass
            await asyncio.to_thread(refuse_pending, with_limits(self.settings.database_url))
        await self.output.require(self.database)
        if not self._has_begun:
            await self._remove_orphans()
            self._has_begun = True

    async def _remove_orphans(self) -> None:
        try:
            async with self.database.transaction() as connection:
                if pruned(self.models):
                    # The lock waits for a running prune, whose folders are no orphans.
                    await lock(connection)
                    await put_back(connection, self.models)
                orphans = await remove_orphans(
                    self.models,
                    await database_time(connection),
                    is_held=lambda name: self.queue.is_held(connection, name),
                    is_registered=lambda version: is_registered(connection, version),
                    ended_without_model=lambda job: self.queue.ended_without_model(connection, job),
                    is_result=lambda version: self.queue.is_result(connection, version),
                )
        except PermissionError as error:
            raise UserError(
                f"OUTPUT_PATH {self.models} cannot be used: {error}. No job was claimed."
            ) from None
        self._log_removed(orphans.removed)
        if orphans.left:
            paths = [str(path) for path in orphans.left[:NAMED_ORPHANS]]
            log.warning(Event.ORPHANS_LEFT, count=len(orphans.left), paths=paths)

    def _log_removed(self, paths: list[Path]) -> None:
        for path in paths:
            log.info(Event.ORPHAN_REMOVED, path=str(path))

    async def work(self, *, until_idle: bool) -> None:
        """Run one due job after another until SIGTERM or SIGINT, or with `until_idle` until none is due.

        Raises UserError; with `until_idle` also where the active model is not whole, which is waited for otherwise.
        """
        failures = 0
        while not self.shutdown.asked.is_set():
            self.wakeup.event.clear()
            try:
                await self.begin()
                if await self.work_on_one() is None:
                    if until_idle:
                        return
                    await self._pause(await self._seconds_to_sleep())
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
            self._clean_up_after(lost)
        claim = found.claim
        if claim is None:
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

    def _clean_up_after(self, lost: Rescued) -> None:
        log.warning(
            Event.JOB_RESCUED,
            job_id=str(lost.job_id),
            lease_version=lost.lease_version,
            worker_id=lost.worker_id,
            status=lost.status,
            attempt=lost.attempt,
        )
        self._log_removed(remove_staged(self.models, lost.name, lost.ended_at))

    async def _seconds_to_sleep(self) -> float:
        """Seconds until the next job is due or the next lease ends, at most POLL_SECONDS."""
        async with self.database.transaction() as connection:
            due = await self.queue.seconds_until_next(connection)
        longest = self.settings.poll_seconds
        # The random part spreads the workers, and avoids a busy loop on a row that another worker has locked.
        return longest if due is None else min(longest, due + random.uniform(0.05, 0.25))

    async def _pause(self, seconds: float) -> None:
        """Sleep until the time is over, or a notification or a signal comes."""
        waits = {asyncio.create_task(event.wait()) for event in (self.wakeup.event, self.shutdown.asked)}
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()


def new_worker_id() -> str:
    """A unique id for this process; the host and the process id in it are for people."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
