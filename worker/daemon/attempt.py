"""One attempt at one job: from its claim to the last write to its row."""

import asyncio
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

from worker.child.messages import Failed, Finished
from worker.daemon.answer import answer
from worker.daemon.child_process import Children
from worker.daemon.completion import ActiveModelChanged, keep_active, publish_and_complete
from worker.daemon.completion_log import log_coalesced, log_published, log_unchanged
from worker.daemon.known_versions import known_versions
from worker.daemon.last_write import LastWrite
from worker.daemon.shutdown import Shutdown
from worker.daemon.supervision import Interrupted, Supervision, supervised
from worker.database.connection import OUTAGE, Database
from worker.errors import ErrorCode, JobError, code_of
from worker.events import Event
from worker.job.job import ActiveModel, Job
from worker.job.options import ASIDE, Options, parse_options
from worker.job.outcome import TrainedModel, Unchanged
from worker.job.progress import PERCENTAGES, Stage
from worker.queue.claim import CancelRequested, Claim, LeaseLost, Progress
from worker.queue.coalesce import Same, same_jobs
from worker.queue.jobs import JobQueue
from worker.queue.lease import Lease
from worker.queue.search import PassedOver
from worker.registry.folder import VersionFolder, discard, reserve
from worker.registry.live import OutputIncomplete, require_live
from worker.registry.models import Active, active
from worker.settings import Settings

# Number of decisions about one model before it is published without activation, for people to decide.
MOST_DECISIONS = 5


@dataclass(frozen=True)
class Completed:
    """The job's last transaction is committed."""


@dataclass(frozen=True)
class Cancelled:
    """The backend requested it."""


Ended = Completed | Failed | Interrupted | Cancelled


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
    def models(self) -> Path:
        return self.settings.output_path.absolute()

    @property
    def last_write(self) -> LastWrite:
        return LastWrite(self.database, self.queue, self.lease, self.log)

    async def run(self, shutdown: Shutdown) -> bool:
        """Train and publish, or write the failure to the row; return whether the job completed.

        Raises one of database.OUTAGE, or PassedOver where nothing that ends the job can be written to its row.
        """
        # Renewal stops after the final write: until then, this worker must hold the job.
        keeping = asyncio.create_task(self.lease.keep())
        try:
            return await self._end(await self._attempt(keeping, shutdown))
        except LeaseLost as lost:
            self.log.warning(Event.LEASE_LOST, reason=str(lost))
            return False
        finally:
            keeping.cancel()
            # What ended it has been dealt with.
            await asyncio.gather(keeping, return_exceptions=True)

    async def _attempt(self, keeping: asyncio.Task[NoReturn], shutdown: Shutdown) -> Ended:
        """How the attempt ended; whatever goes wrong with a job is that job's failure.

        Raises LeaseLost, or one of database.OUTAGE.
        """
        try:
            folder, job = await self._prepare()
            try:
                return await self._work(folder, job, keeping, shutdown)
            finally:
                discard(folder)
        except OutputIncomplete as error:
            return Failed(ErrorCode.OUTPUT_INCOMPLETE, str(error))
        except CancelRequested:
            return Cancelled()
        except JobError as error:
            return Failed(error.code, error.message)
        except (LeaseLost, *OUTAGE):
            raise
        except Exception as error:
            message = f"The worker failed with {type(error).__name__}: {error}"
            return Failed(ErrorCode.INTERNAL_ERROR, message, traceback.format_exc())

    async def _end(self, ended: Ended) -> bool:
        try:
            match ended:
                case Failed():
                    await self.last_write.fail(ended, self.settings.retry_seconds)
                case Interrupted():
                    await self.last_write.release(self.settings.max_interruptions)
                case Cancelled():
                    await self.last_write.cancel()
        except (LeaseLost, *OUTAGE):
            raise
        except Exception as error:
            raise PassedOver(str(error)) from error
        return isinstance(ended, Completed)

    async def _prepare(self) -> tuple[VersionFolder, Job]:
        options = parse_options(self.claim.options)
        known = await self.last_write.write(known_versions)
        try:
            folder = reserve(self.models, self.claim.started_at, self.claim.name, known)
        except OSError as error:
            message = f"No model can be written below OUTPUT_PATH {self.models}: {error.strerror}."
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
            photo_path=self.settings.photo_path,
            memory_mb=self.settings.child_memory_mb,
        )
        return folder, job

    async def _work(
        self, folder: VersionFolder, job: Job, keeping: asyncio.Task[NoReturn], shutdown: Shutdown
    ) -> Ended:
        """Raises OutputIncomplete where the files of the active model are lost, before or meanwhile."""
        same = await self._same_jobs(job.options)
        while True:
            model = await self.last_write.write(active)
            await self._require_live(model)
            job = replace(job, active=self._active_model(model and model.version))
            async with supervised(
                self.settings, job, self.lease, keeping, shutdown, self.children, self.log
            ) as supervision:
                try:
                    ended = await self._see_through(folder, supervision, same)
                    if isinstance(ended, Failed) and ended.code is ErrorCode.STORAGE_UNAVAILABLE:
                        await self._require_live(model)
                    return ended
                except ActiveModelChanged:
                    # There was nothing to train, but the model with the same photos is no longer active.
                    job = replace(job, options=job.options.model_copy(update={"force": True}))

    async def _same_jobs(self, options: Options) -> list[Same]:
        """The waiting jobs that this one will complete with itself."""
        if not options.coalesce:
            return []
        same: list[Same] = await self.last_write.write(
            lambda connection: same_jobs(
                connection, self.queue, self.claim, Options().model_dump(mode="json"), ASIDE
            )
        )
        return same

    async def _see_through(
        self, folder: VersionFolder, supervision: Supervision, same: Sequence[Same]
    ) -> Ended:
        """Raises ActiveModelChanged where there was nothing to train, but that has changed."""
        decisions, ending = 1, await supervision.ending()
        while isinstance(ending, Finished):
            try:
                return await self._publish(folder, ending.model, same, is_final=decisions > MOST_DECISIONS)
            except ActiveModelChanged as change:
                self._log_change(change)
                ending = await supervision.reconsider(self._active_model(change.version))
                decisions += 1
        return await self._keep_active(ending.version, same) if isinstance(ending, Unchanged) else ending

    async def _require_live(self, model: Active | None) -> None:
        await answer(lambda: require_live(self.models, model), self.models)

    def _active_model(self, version: str | None) -> ActiveModel | None:
        return ActiveModel(version, self.models / version) if version else None

    async def _publish(
        self, folder: VersionFolder, trained: TrainedModel, same: Sequence[Same], *, is_final: bool
    ) -> Ended:
        if is_final:
            trained = _not_activated(trained)
        # 0 seconds left, so that a worker that must stop finishes the job first.
        self.lease.show(Progress(PERCENTAGES[Stage.DEPLOY].last, "Publishing the model", 0.0))

        async def write() -> list[UUID]:
            return await publish_and_complete(
                self.database, self.queue, self.claim, folder, trained, same, is_final=is_final
            )

        try:
            coalesced = await self.last_write.until_written(write)
        except OSError as error:
            return Failed(code_of(error), f"The model could not be published: {error}.")
        log_published(self.log, folder, trained)
        log_coalesced(self.log, coalesced, self.claim.job_id, folder.version)
        return Completed()

    async def _keep_active(self, version: str, same: Sequence[Same]) -> Completed:
        async def write() -> list[UUID]:
            return await keep_active(self.database, self.queue, self.claim, self.models, version, same)

        try:
            coalesced = await self.last_write.until_written(write)
        except ActiveModelChanged as change:
            self._log_change(change)
            raise
        log_unchanged(self.log, version)
        log_coalesced(self.log, coalesced, self.claim.job_id, version)
        return Completed()

    def _log_change(self, change: ActiveModelChanged) -> None:
        self.log.info(Event.ACTIVE_MODEL_CHANGED, active=change.version)


def _not_activated(trained: TrainedModel) -> TrainedModel:
    reason = f"Another model became the active one {MOST_DECISIONS} times while it was being decided."
    return replace(trained, promotion=replace(trained.promotion, activate=False, reason=reason))
