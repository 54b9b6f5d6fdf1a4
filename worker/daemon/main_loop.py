"""The daemon of `worker run` and `worker train`: claims jobs and runs them, one at a time."""

import asyncio
import os
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from worker.daemon.attempt import Attempt
from worker.daemon.child_process import Children
from worker.daemon.health import keep_touching
from worker.daemon.leftovers import Leftovers, log_removed
from worker.daemon.output import Output
from worker.daemon.retention import Retention
from worker.daemon.shutdown import Shutdown
from worker.database.connection import OUTAGE, Database
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
from worker.settings import Settings, unknown_settings

log = structlog.get_logger()


class Daemon:
    """A worker process; `work` is its main loop."""

    def __init__(self, settings: Settings, database: Database, children: Children) -> None:
        self.settings = settings
        self.database = database
        self.children = children
        self.models = settings.output_path.absolute()
        self.output = Output(self.models)
        self.queue = JobQueue(new_worker_id(), settings.lease_seconds)
        self.search = Search(database, self.queue)
        self.rest = Rest(settings.poll_seconds)
        self.wakeup = Wakeup(settings.listen_url or settings.database_url)
        self.shutdown = Shutdown()
        self.leftovers = Leftovers(self.models, database, self.shutdown)
        self.retention = Retention(settings, database)
        self._has_begun = False

    async def begin(self) -> None:
        """Raise OutputIncomplete where the active model is not whole; lost jobs are rescued all the same.

        On the first call also: raise UserError unless every migration is applied, and remove orphans.
        """
        if not self._has_begun:
            # Logs an outage of Postgres, which the connection of `refuse_pending` would not.
            async with self.database.transaction():
                pass
            await asyncio.to_thread(refuse_pending, self.settings.database_url)
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
        job_log = log.bind(job_id=str(claim.job_id), attempt=claim.attempt)
        job_log.info(Event.JOB_CLAIMED, waited_seconds=round(float(claim.waited_seconds), 3))
        lease = Lease(self.database, self.queue, claim, found.asked)
        attempt = Attempt(self.settings, self.database, self.queue, lease, self.children, job_log)
        try:
            return await attempt.run(self.shutdown)
        except PassedOver as error:
            self.search.pass_over(claim.job_id, error)
            return False

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


async def run(settings: Settings, *, until_idle: bool) -> None:
    """`worker run`: returns after a signal, or with `until_idle` when no job is due. Raises UserError."""
    async with _daemon(settings) as daemon:
        try:
            async with asyncio.TaskGroup() as group:
                background = (
                    group.create_task(daemon.wakeup.listen()),
                    group.create_task(keep_touching(settings.health_file, lambda: not daemon.output.fault)),
                )
                await daemon.work(until_idle=until_idle)
                for task in background:
                    task.cancel()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None


async def train(settings: Settings, job_id: uuid.UUID) -> bool:
    """`worker train`: run the given pending job; return whether it completed, also with another job meanwhile.

    Raises UserError.
    """
    async with _daemon(settings) as daemon:
        try:
            await daemon.begin()
            completed = await daemon.work_on_one(job_id)
            if completed is not None:
                return completed
            async with daemon.database.transaction() as connection:
                state = await daemon.queue.look(connection, job_id)
        except OutputIncomplete as error:
            raise UserError(f"{error} Job {job_id} was not claimed.") from None
        except OUTAGE as error:
            raise UserError(f"The database cannot be reached: {str(error).strip()}") from None
    if reason := daemon.queue.passed_over.get(job_id):
        raise UserError(f"Job {job_id} cannot be trained, because its row cannot be changed: {reason}")
    if state is None:
        raise UserError(f'There is no job {job_id} in "TrainingJobs".')
    if state.coalesced_into:
        return True
    raise UserError(f"Job {job_id} is {state.status}; only a Pending job can be trained.")


@asynccontextmanager
async def _daemon(settings: Settings) -> AsyncIterator[Daemon]:
    environment = {
        "DATABASE_URL": settings.database_url,
        "BACKBONE": settings.backbone,
        "BASE_WEIGHTS": settings.base_weights,
        "CACHE_PATH": str(settings.cache_path),
        "OUTPUT_PATH": str(settings.output_path.absolute()),
    }
    children = Children(environment, settings.warm_standby, log)
    async with Database(settings.database_url) as database:
        daemon = Daemon(settings, database, children)
        structlog.contextvars.bind_contextvars(worker=daemon.queue.worker_id)
        daemon.shutdown.on_signals()
        log.info(
            Event.WORKER_STARTED,
            storage_path=str(settings.storage_path),
            output_path=str(settings.output_path),
            backbone=settings.backbone,
            base_weights=settings.base_weights,
            lease_seconds=settings.lease_seconds,
        )
        if unknown := unknown_settings(os.environ):
            log.warning(Event.SETTINGS_UNKNOWN, did_you_mean=unknown)
        try:
            async with children:
                yield daemon
        finally:
            log.info(Event.WORKER_STOPPED)


def new_worker_id() -> str:
    """A unique id for this process; the host and the process id in it are for people."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
