"""One attempt at one job: from its claim to the last write to its row."""

import asyncio
import contextlib
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn

from worker.child.messages import Failed, Finished
from worker.daemon.child_process import Children
from worker.daemon.completion import ActiveModelChanged, deploy, keep_active
from worker.daemon.shutdown import Shutdown
from worker.daemon.supervision import Training, training
from worker.database.connection import OUTAGE, Database
from worker.errors import CAUSES, ErrorCode, JobError, code_of
from worker.events import Event
from worker.job.job import ActiveModel, Job, TrainedModel, Unchanged
from worker.job.options import parse_options
from worker.queue.jobs import CancelRequested, Claim, Connection, JobQueue, LeaseLost, Progress
from worker.queue.lease import Lease
from worker.registry.folder import VersionFolder, discard, reserve
from worker.registry.models import active
from worker.settings import Settings

MAX_RETRY_SECONDS = 600.0
# How often a child decides about one model, before it is left to people.
MOST_DECISIONS = 5


@dataclass(frozen=True)
class Attempt:
    """A claimed job, and what is needed to work on it."""

    settings: Settings
    database: Database
    queue: JobQueue
    lease: Lease
    children: Children
    log: Any

    @property
    def claim(self) -> Claim:
        return self.lease.claim

    async def run(self, shutdown: Shutdown) -> bool:
        """Train and deploy, or write into the row why not; true when the job completed."""
        # Renewal stops last, after the final write: until then the job must stay ours.
        keeping = asyncio.create_task(self.lease.keep())
        try:
            return await self._train_and_end(keeping, shutdown)
        except LeaseLost as lost:
            self.log.warning(Event.LEASE_LOST, reason=str(lost))
            return False
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError, LeaseLost, CancelRequested):
                await keeping

    async def _train_and_end(self, keeping: asyncio.Task[NoReturn], shutdown: Shutdown) -> bool:
        try:
            folder, job = self._prepare()
        except JobError as error:
            return await self._fail(Failed(error.code, error.message))
        try:
            ending = await self._work(folder, job, keeping, shutdown)
        except CancelRequested:
            return await self._cancel()
        finally:
            discard(folder)
        match ending:
            case Failed():
                return await self._fail(ending)
            case None:
                return await self._release()
            case _:
                return True

    def _prepare(self) -> tuple[VersionFolder, Job]:
        options = parse_options(self.claim.options)
        models = self.settings.output_path.absolute()
        try:
            folder = reserve(models, self.claim.started_at, self.claim.name)
        except OSError as error:
            message = f"No model can be written below OUTPUT_PATH {models}: {error.strerror}."
            raise JobError(code_of(error), message) from error
        job = Job(
            job_id=str(self.claim.job_id),
            started_at=self.claim.started_at,
            options=options,
            storage=self.settings.storage_path.absolute(),
            base_weights=self.settings.base_weights,
            cache=self.settings.cache_path,
            feature_store_mb=self.settings.feature_store_mb,
            version=folder.version,
            folder=folder.staged,
            active=None,
            promote_tolerance=self.settings.promote_tolerance / 100,
        )
        return folder, job

    async def _work(
        self, folder: VersionFolder, job: Job, keeping: asyncio.Task[NoReturn], shutdown: Shutdown
    ) -> Literal[True] | Failed | None:
        """Train and publish; `None` when `shutdown` leaves no time."""
        while True:
            model = await self._write(active)
            job = replace(job, active=self._active_model(model and model.version))
            async with training(
                self.settings, job, self.lease, keeping, shutdown, self.children, self.log
            ) as child:
                try:
                    return await self._see_through(folder, child)
                except ActiveModelChanged:
                    # There was nothing to train, but the model that a new one would equal is not active now.
                    job = replace(job, options=job.options.model_copy(update={"force": True}))

    async def _see_through(self, folder: VersionFolder, child: Training) -> Literal[True] | Failed | None:
        """As `_work`; raises ActiveModelChanged where there was nothing to train, and now there is."""
        decisions, ending = 1, await child.ending()
        while isinstance(ending, Finished):
            try:
                return await self._publish(folder, ending.model, last_word=decisions > MOST_DECISIONS)
            except ActiveModelChanged as change:
                self._log_change(change)
                ending = await child.reconsider(self._active_model(change.version))
                decisions += 1
        return await self._keep_active(ending.version) if isinstance(ending, Unchanged) else ending

    def _active_model(self, version: str | None) -> ActiveModel | None:
        return ActiveModel(version, self.settings.output_path.absolute() / version) if version else None

    async def _publish(
        self, folder: VersionFolder, trained: TrainedModel, *, last_word: bool = False
    ) -> Literal[True] | Failed:
        if last_word:
            trained = _undecided(trained)
        # Nothing is left to do: a worker that is asked to stop may end it.
        self.lease.show(Progress(99, "Publishing the model", 0.0))

        async def write() -> None:
            await deploy(self.database, self.queue, self.claim, folder, trained, last_word=last_word)

        try:
            await self._until_written(write)
        except OSError as error:
            return Failed(code_of(error), f"The model could not be published: {error}.")
        promotion = trained.promotion
        said = {"version": folder.version, "active": promotion.active_version, "reason": promotion.reason}
        self.log.info(Event.MODEL_PUBLISHED, version=folder.version, path=str(folder.place))
        if promotion.activate:
            self.log.info(Event.MODEL_ACTIVATED, **said)
        else:
            self.log.warning(Event.MODEL_NOT_ACTIVATED, **said)
        self.log.info(
            Event.JOB_COMPLETED,
            version=folder.version,
            activated=promotion.activate,
            accuracy=json.loads(trained.accuracy_metrics),
            photos=trained.photos,
            products=trained.products,
            skipped=trained.skipped,
            advice=len(trained.advice),
        )
        return True

    async def _keep_active(self, version: str) -> Literal[True]:
        async def write() -> None:
            await keep_active(self.database, self.queue, self.claim, version)

        try:
            await self._until_written(write)
        except ActiveModelChanged as change:
            self._log_change(change)
            raise
        self.log.info(Event.JOB_COMPLETED, version=version, activated=True, unchanged=True)
        return True

    def _log_change(self, change: ActiveModelChanged) -> None:
        self.log.info(Event.ACTIVE_MODEL_CHANGED, active=change.version)

    async def _fail(self, ending: Failed) -> bool:
        said: dict[str, Any] = {"error_code": ending.code, "error_message": ending.message}
        if ending.trace:
            said["exception"] = ending.trace
        if CAUSES[ending.code].may_pass and self.claim.attempt < self.claim.max_attempts:
            delay = self._delay()
            status = await self._write(
                lambda connection: self.queue.retry(
                    connection, self.claim, ending.code, ending.message, delay
                )
            )
            self._log_end(status, {"Pending": Event.JOB_RETRIED}, delay_seconds=round(delay, 1), **said)
        else:
            status = await self._write(
                lambda connection: self.queue.fail(connection, self.claim, ending.code, ending.message)
            )
            self._log_end(status, {}, **said)
        return False

    def _delay(self) -> float:
        """Seconds until the next attempt: doubling, with jitter, so that jobs do not come back in step."""
        full = min(self.settings.retry_seconds * 2.0 ** (self.claim.attempt - 1), MAX_RETRY_SECONDS)
        return full * random.uniform(0.5, 1.0)

    async def _cancel(self) -> bool:
        await self._write(lambda connection: self.queue.cancel(connection, self.claim))
        self.log.info(Event.JOB_CANCELLED)
        return False

    async def _release(self) -> bool:
        bound = self.settings.max_interruptions
        status = await self._write(lambda connection: self.queue.release(connection, self.claim, bound))
        said = {"error_code": ErrorCode.INTERRUPTED_TOO_OFTEN} if status == "Failed" else {}
        self._log_end(status, {"Pending": Event.JOB_RELEASED}, **said)
        return False

    def _log_end(self, status: str, events: dict[str, Event], **said: Any) -> None:
        """Say what became of the job; a cancel that came just before goes first."""
        event = (events | {"Failed": Event.JOB_FAILED, "Cancelled": Event.JOB_CANCELLED})[status]
        (self.log.error if status == "Failed" else self.log.warning if said else self.log.info)(event, **said)

    async def _write(self, statement: Callable[[Connection], Awaitable[Any]]) -> Any:
        async def write() -> Any:
            async with self.database.transaction() as connection:
                return await statement(connection)

        return await self._until_written(write)

    async def _until_written(self, write: Callable[[], Awaitable[Any]]) -> Any:
        """Repeat a final write while Postgres is away and the job must still be ours, and once more after that.

        The last one finds out what became of a commit of which nobody heard; it cannot change another's job.
        """
        while True:
            trusted = self.lease.trusted
            try:
                return await write()
            except OUTAGE:
                if not trusted:
                    raise LeaseLost("nothing was heard of the last write before the lease ran out") from None
                await asyncio.sleep(random.uniform(0.2, 1.0))


def _undecided(trained: TrainedModel) -> TrainedModel:
    reason = f"Another model became the active one {MOST_DECISIONS} times while it was being decided."
    return replace(trained, promotion=replace(trained.promotion, activate=False, reason=reason))
