"""One attempt at one job: from its claim to the last write to its row."""

import asyncio
import contextlib
import json
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from worker.child.messages import Failed, Finished
from worker.daemon.child_process import Children
from worker.daemon.completion import ActiveModelChanged, keep_active, publish_and_complete
from worker.daemon.last_write import LastWrite
from worker.daemon.shutdown import Shutdown
from worker.daemon.supervision import Interrupted, Supervision, supervised
from worker.database.connection import Database
from worker.errors import JobError, code_of
from worker.events import Event
from worker.job.job import ActiveModel, Job
from worker.job.options import parse_options
from worker.job.outcome import TrainedModel, Unchanged
from worker.job.progress import PERCENTAGES, Stage
from worker.queue.jobs import CancelRequested, Claim, JobQueue, LeaseLost, Progress
from worker.queue.lease import Lease
from worker.registry.folder import VersionFolder, discard, reserve
from worker.registry.models import active
from worker.settings import Settings

# Number of decisions about one model before it is published without activation, for people to decide.
MOST_DECISIONS = 5


@dataclass(frozen=True)
class Completed:
    """The job's last transaction is committed."""


Ended = Completed | Failed | Interrupted


@dataclass(frozen=True)
class Attempt:
    """A claimed job, with everything that is needed to run it."""

    settings: Settings
    database: Database
    queue: JobQueue
    lease: Lease
    children: Children
    log: Any

    @property
    def claim(self) -> Claim:
        return self.lease.claim

    @property
    def last_write(self) -> LastWrite:
        return LastWrite(self.database, self.queue, self.lease, self.log)

    async def run(self, shutdown: Shutdown) -> bool:
        """Train and publish, or write the failure to the row; return whether the job completed."""
        # Renewal stops after the final write: until then, this worker must hold the job.
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
            await self.last_write.fail(Failed(error.code, error.message), self.settings.retry_seconds)
            return False
        try:
            ended = await self._work(folder, job, keeping, shutdown)
        except CancelRequested:
            await self.last_write.cancel()
            return False
        finally:
            discard(folder)
        match ended:
            case Failed():
                await self.last_write.fail(ended, self.settings.retry_seconds)
            case Interrupted():
                await self.last_write.release(self.settings.max_interruptions)
        return isinstance(ended, Completed)

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
            backbone=self.settings.backbone,
            base_weights=self.settings.base_weights,
            cache=self.settings.cache_path,
            feature_store_mb=self.settings.feature_store_mb,
            version=folder.version,
            folder=folder.staged,
            active=None,
            promote_tolerance=self.settings.promote_tolerance / 100,
            memory_mb=self.settings.child_memory_mb,
        )
        return folder, job

    async def _work(
        self, folder: VersionFolder, job: Job, keeping: asyncio.Task[NoReturn], shutdown: Shutdown
    ) -> Ended:
        while True:
            model = await self.last_write.write(active)
            job = replace(job, active=self._active_model(model and model.version))
            async with supervised(
                self.settings, job, self.lease, keeping, shutdown, self.children, self.log
            ) as supervision:
                try:
                    return await self._see_through(folder, supervision)
                except ActiveModelChanged:
                    # There was nothing to train, but the model with the same photos is no longer active.
                    job = replace(job, options=job.options.model_copy(update={"force": True}))

    async def _see_through(self, folder: VersionFolder, supervision: Supervision) -> Ended:
        """Raises ActiveModelChanged where there was nothing to train, but that has changed."""
        decisions, ending = 1, await supervision.ending()
        while isinstance(ending, Finished):
            try:
                return await self._publish(folder, ending.model, is_final=decisions > MOST_DECISIONS)
            except ActiveModelChanged as change:
                self._log_change(change)
                ending = await supervision.reconsider(self._active_model(change.version))
                decisions += 1
        return await self._keep_active(ending.version) if isinstance(ending, Unchanged) else ending

    def _active_model(self, version: str | None) -> ActiveModel | None:
        return ActiveModel(version, self.settings.output_path.absolute() / version) if version else None

    async def _publish(self, folder: VersionFolder, trained: TrainedModel, *, is_final: bool) -> Ended:
        if is_final:
            trained = _not_activated(trained)
        # 0 seconds left, so that a worker that must stop finishes the job first.
        self.lease.show(Progress(PERCENTAGES[Stage.DEPLOY].last, "Publishing the model", 0.0))

        async def write() -> None:
            await publish_and_complete(
                self.database, self.queue, self.claim, folder, trained, is_final=is_final
            )

        try:
            await self.last_write.until_written(write)
        except OSError as error:
            return Failed(code_of(error), f"The model could not be published: {error}.")
        self._log_published(folder, trained)
        return Completed()

    async def _keep_active(self, version: str) -> Completed:
        async def write() -> None:
            await keep_active(self.database, self.queue, self.claim, version)

        try:
            await self.last_write.until_written(write)
        except ActiveModelChanged as change:
            self._log_change(change)
            raise
        self.log.info(Event.JOB_COMPLETED, version=version, activated=True, unchanged=True)
        return Completed()

    def _log_change(self, change: ActiveModelChanged) -> None:
        self.log.info(Event.ACTIVE_MODEL_CHANGED, active=change.version)

    def _log_published(self, folder: VersionFolder, trained: TrainedModel) -> None:
        promotion = trained.promotion
        fields = {"version": folder.version, "active": promotion.active_version, "reason": promotion.reason}
        self.log.info(Event.MODEL_PUBLISHED, version=folder.version, path=str(folder.published))
        if promotion.activate:
            self.log.info(Event.MODEL_ACTIVATED, **fields)
        else:
            self.log.warning(Event.MODEL_NOT_ACTIVATED, **fields)
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


def _not_activated(trained: TrainedModel) -> TrainedModel:
    reason = f"Another model became the active one {MOST_DECISIONS} times while it was being decided."
    return replace(trained, promotion=replace(trained.promotion, activate=False, reason=reason))
