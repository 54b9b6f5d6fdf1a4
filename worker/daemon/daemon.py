"""The daemon behind `worker run` and `worker train`: claims jobs and works on them, one at a time."""

import asyncio
import os
import random
import signal
import socket
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from worker.daemon.attempt import Attempt
from worker.daemon.health import keep_touching
from worker.database.connection import OUTAGE, Database
from worker.database.migrate import MIGRATIONS, pending
from worker.errors import UserError
from worker.events import Event
from worker.queue.jobs import JobQueue
from worker.queue.lease import Lease
from worker.queue.wakeup import listen
from worker.settings import Settings

log = structlog.get_logger()


class Daemon:
    """A worker process; `work` is its main loop."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.queue = JobQueue(new_worker_id(), settings.lease_seconds)
        self.wake = asyncio.Event()
        self.stopping = asyncio.Event()
        self._schema_is_current = False

    def stop(self, number: signal.Signals) -> None:
        """Claim nothing more, and give the running job back."""
        log.info(Event.WORKER_STOPPING, signal=number.name)
        self.stopping.set()

    async def require_schema(self) -> None:
        """Raise UserError unless every migration is applied; asks until the answer is yes, and never again."""
        if not self._schema_is_current:
            # Says so when Postgres is away, before a connection of another kind is tried.
            async with self.database.transaction():
                pass
            missing = await asyncio.to_thread(pending, self.settings.database_url, MIGRATIONS)
            if missing:
                raise UserError(f"The database lacks {', '.join(missing)}: run `worker migrate` first.")
            self._schema_is_current = True

    async def work(self, *, until_idle: bool) -> None:
        """Work on one due job after another until SIGTERM or SIGINT, or until none is left."""
        while not self.stopping.is_set():
            self.wake.clear()
            try:
                await self.require_schema()
                claimed = await self.work_on_one()
            except OUTAGE:
                await self._pause(random.uniform(0.5, 1.5) * min(self.settings.poll_seconds, 5))
                continue
            if claimed is None:
                if until_idle:
                    return
                await self._pause(self.settings.poll_seconds)

    async def work_on_one(self, job_id: uuid.UUID | None = None) -> bool | None:
        """Claim a job, or the one given, and work on it to its end.

        True when it completed, false when not, `None` when there was none. Raises one of database.OUTAGE.
        """
        asked = time.monotonic()
        async with self.database.transaction() as connection:
            claim = await self.queue.claim(connection, job_id)
        if claim is None:
            return None
        job_log = log.bind(job_id=str(claim.job_id), attempt=claim.attempt)
        job_log.info(Event.JOB_CLAIMED, waited_seconds=round(claim.waited.total_seconds(), 3))
        lease = Lease(self.database, self.queue, claim, asked)
        return await Attempt(self.settings, self.database, self.queue, lease, job_log).run(self.stopping)

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not past a notification or a signal."""
        waits = {asyncio.create_task(self.wake.wait()), asyncio.create_task(self.stopping.wait())}
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()


async def run(settings: Settings, *, until_idle: bool) -> None:
    """`worker run`: returns after a signal, or with `until_idle` when no job is due. Raises UserError."""
    async with _daemon(settings) as daemon:
        try:
            async with asyncio.TaskGroup() as group:
                background = (
                    group.create_task(listen(settings.database_url, daemon.wake)),
                    group.create_task(keep_touching(settings.health_file)),
                )
                await daemon.work(until_idle=until_idle)
                for task in background:
                    task.cancel()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None


async def train(settings: Settings, job_id: uuid.UUID) -> bool:
    """`worker train`: work on the given pending job; whether it completed. Raises UserError."""
    async with _daemon(settings) as daemon:
        try:
            await daemon.require_schema()
            completed = await daemon.work_on_one(job_id)
            if completed is not None:
                return completed
            async with daemon.database.transaction() as connection:
                status = await daemon.queue.status(connection, job_id)
        except OUTAGE as error:
            raise UserError(f"The database cannot be reached: {str(error).strip()}") from None
    if status is None:
        raise UserError(f'There is no job {job_id} in "TrainingJobs".')
    raise UserError(f"Job {job_id} is {status}; only a Pending job can be trained.")


@asynccontextmanager
async def _daemon(settings: Settings) -> AsyncIterator[Daemon]:
    async with Database(settings.database_url) as database:
        daemon = Daemon(settings, database)
        structlog.contextvars.bind_contextvars(worker=daemon.queue.worker_id)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, daemon.stop, number)
        log.info(
            Event.WORKER_STARTED,
            storage_path=str(settings.storage_path),
            output_path=str(settings.output_path),
            base_weights=settings.base_weights,
            lease_seconds=settings.lease_seconds,
        )
        try:
            yield daemon
        finally:
            log.info(Event.WORKER_STOPPED)


def new_worker_id() -> str:
    """New for every process; the host and the process stand in it for people."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
