"""The process of `worker run` and `worker train`: what goes on beside the main loop, and how it ends."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NoReturn

import structlog

from worker.daemon.child_process import Children
from worker.daemon.health import keep_touching
from worker.daemon.main_loop import Daemon
from worker.daemon.shutdown import GivenUp
from worker.daemon.start import look_at
from worker.database.connection import OUTAGE, Database
from worker.database.first_connection import DatabaseUnusable
from worker.errors import UserError
from worker.events import Event
from worker.queue.claim import JobEnd, JobStatus
from worker.registry.live import OutputIncomplete
from worker.settings import Settings
from worker.version import VERSION

# What became of a job that did not complete; `{}` is its id.
SENTENCES: Final = {
    JobStatus.PENDING: "Job {} was put back, and can be run again",
    JobStatus.RUNNING: "Job {} was left to its lease, or to another worker",
    JobStatus.COMPLETED: "Job {} was completed by another worker",
    JobStatus.FAILED: "Job {} failed",
    JobStatus.CANCELLED: "Job {} was cancelled",
}

log = structlog.get_logger()


class JobNotDone(UserError):
    """A job that was begun and may be run again."""

    status = 3


async def run(settings: Settings, *, until_idle: bool) -> None:
    """`worker run`: returns after a signal, or with `until_idle` when no job is due. Raises UserError."""
    async with _daemon(settings) as daemon:
        try:
            async with asyncio.TaskGroup() as group:
                background = (
                    group.create_task(_listen(daemon)),
                    group.create_task(keep_touching(settings.health_file, lambda: daemon.is_ready)),
                )
                try:
                    await daemon.shutdown.within(daemon.work(until_idle=until_idle))
                except GivenUp:
                    daemon.give_up()
                for task in background:
                    task.cancel()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None


async def train(settings: Settings, job_id: uuid.UUID) -> None:
    """`worker train`: run the given pending job. Raises JobNotDone where it may be run again, UserError where not."""
    async with _daemon(settings, status=JobNotDone.status) as daemon:
        try:
            completed, end = await daemon.shutdown.within(_train(daemon, job_id))
        except GivenUp:
            daemon.give_up()
            raise JobNotDone(_sentence(job_id, JobEnd(JobStatus.RUNNING))) from None
        except OutputIncomplete as error:
            raise UserError(f"{error} Job {job_id} was not claimed.") from None
        except OUTAGE as error:
            raise DatabaseUnusable(error) from None
    if completed or (end and end.is_coalesced):
        return
    if reason := daemon.queue.passed_over.get(job_id):
        raise UserError(f"Job {job_id} cannot be trained, because its row cannot be changed: {reason}")
    if end is None:
        raise UserError(f'There is no job {job_id} in "TrainingJobs".')
    if completed is None:
        raise UserError(f"Job {job_id} is {end.status}; only a Pending job can be trained.")
    kind = JobNotDone if end.status in (JobStatus.PENDING, JobStatus.RUNNING) else UserError
    raise kind(_sentence(job_id, end))


def _sentence(job_id: uuid.UUID, end: JobEnd) -> str:
    why = f": {end.error_message} ({end.error_code})" if end.error_code else "."
    return SENTENCES[end.status].format(job_id) + why


async def _train(daemon: Daemon, job_id: uuid.UUID) -> tuple[bool | None, JobEnd | None]:
    await daemon.begin()
    completed = await daemon.work_on_one(job_id)
    if completed:
        return True, None
    async with daemon.database.transaction() as connection:
        return completed, await daemon.queue.end_of(connection, job_id)


async def _listen(daemon: Daemon) -> NoReturn:
    """Listen once the database has answered: until then, the main loop says what is wrong with it."""
    await daemon.database.met.wait()
    await daemon.wakeup.listen()


@asynccontextmanager
async def _daemon(settings: Settings, status: int = 0) -> AsyncIterator[Daemon]:
    """`status` is the exit status of a process that must be ended by force."""
    environment = {
        "DATABASE_URL": settings.database_url,
        "BACKBONE": settings.backbone,
        "BASE_WEIGHTS": settings.base_weights,
        "CACHE_PATH": str(settings.cache_path),
        "OUTPUT_PATH": str(settings.output_path.absolute()),
    }
    children = Children(environment, settings.warm_standby, log)
    async with Database(settings.database_url) as database:
        daemon = Daemon(settings, database, children, status)
        structlog.contextvars.bind_contextvars(worker=daemon.queue.worker_id)
        daemon.shutdown.on_signals()
        log.info(
            Event.WORKER_STARTED,
            version=VERSION,
            storage_path=str(settings.storage_path),
            output_path=str(settings.output_path),
            backbone=settings.backbone,
            base_weights=settings.base_weights,
            lease_seconds=settings.lease_seconds,
        )
        try:
            await look_at(settings)
            async with children:
                yield daemon
        finally:
            daemon.shutdown.stopped()
