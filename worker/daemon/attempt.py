"""One attempt at one job: from its claim to the last write to its row."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from worker.child.messages import Ending, Failed, Finished, Message
from worker.child.process import Child, training_child
from worker.daemon.deployment import deploy
from worker.database.connection import OUTAGE, Database
from worker.errors import ErrorCode, JobError, code_of
from worker.events import Event
from worker.queue.jobs import Claim, JobQueue, LeaseLost, Progress
from worker.queue.lease import Lease
from worker.registry.folder import VersionFolder, discard, reserve
from worker.settings import Settings
from worker.training.job import Job
from worker.training.options import parse_options
from worker.training.progress import Advanced, EpochFinished, PhotoSkipped, StageFinished, StageStarted

LOGGED: dict[type[Message], Event] = {
    StageStarted: Event.STAGE_STARTED,
    StageFinished: Event.STAGE_FINISHED,
    EpochFinished: Event.EPOCH_FINISHED,
    PhotoSkipped: Event.PHOTO_SKIPPED,
}


@dataclass(frozen=True)
class Attempt:
    """A claimed job, and what is needed to work on it."""

    settings: Settings
    database: Database
    queue: JobQueue
    lease: Lease
    log: Any

    async def run(self, stopping: asyncio.Event) -> bool:
        """Train and deploy, or write into the row why not; true when the job completed.

        When `stopping` is set while the child is at work, the child is stopped and the job given back.
        """
        # Renewal stops last, after the final write: until then the job must stay ours.
        keeping = asyncio.create_task(self.lease.keep())
        try:
            return await self._train_and_end(keeping, stopping)
        except LeaseLost as lost:
            self.log.warning(Event.LEASE_LOST, reason=str(lost))
            return False
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError, LeaseLost):
                await keeping

    async def _train_and_end(self, keeping: asyncio.Task[None], stopping: asyncio.Event) -> bool:
        claim = self.lease.claim
        try:
            options = parse_options(claim.options)
            folder = self._reserve(claim)
        except JobError as error:
            return await self._fail(Failed(error.code, error.message))
        job = Job(
            job_id=str(claim.job_id),
            started_at=claim.started_at,
            options=options,
            storage=self.settings.storage_path.absolute(),
            base_weights=self.settings.base_weights,
            version=folder.version,
            folder=folder.staged,
        )
        try:
            ending = await self._train(job, keeping, stopping)
            if isinstance(ending, Finished):
                return await self._complete(folder, ending)
        finally:
            discard(folder)
        if ending is None:
            return await self._release()
        return await self._fail(ending)

    def _reserve(self, claim: Claim) -> VersionFolder:
        path = self.settings.output_path.absolute()
        try:
            return reserve(path, claim.started_at)
        except OSError as error:
            message = f"No model can be written below OUTPUT_PATH {path}: {error.strerror}."
            raise JobError(ErrorCode.STORAGE_UNAVAILABLE, message) from error

    async def _train(self, job: Job, keeping: asyncio.Task[None], stopping: asyncio.Event) -> Ending | None:
        """The child's ending; `None` when it was stopped before. Raises LeaseLost."""
        async with training_child(job, self.settings.database_url, self.log) as child:
            listening = asyncio.create_task(self._listen(child))
            stopped = asyncio.create_task(stopping.wait())
            try:
                await asyncio.wait({listening, keeping, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if keeping.done():
                    keeping.result()
                return listening.result() if listening.done() else None
            finally:
                listening.cancel()
                stopped.cancel()

    async def _listen(self, child: Child) -> Ending:
        async for message in child.messages():
            match message:
                case Finished() | Failed():
                    return message
                case Advanced():
                    self.lease.show(Progress(message.percentage, message.sentence, message.seconds_left))
                case _:
                    self.log.info(LOGGED[type(message)], **asdict(message))
        how = await child.ended()
        self.log.error(Event.CHILD_DIED, how=how, last_words=list(child.last_words))
        return Failed(ErrorCode.CHILD_DIED, f"The training process ended without a result ({how}).")

    async def _complete(self, folder: VersionFolder, ending: Finished) -> bool:
        self.lease.show(Progress(99, "Publishing the model"))

        async def write() -> None:
            await deploy(self.database, self.queue, self.lease.claim, folder, ending.model)

        try:
            await self._until_written(write)
        except OSError as error:
            return await self._fail(Failed(code_of(error), f"The model could not be published: {error}."))
        self.log.info(Event.MODEL_PUBLISHED, version=folder.version, path=str(folder.place))
        self.log.info(Event.JOB_COMPLETED, version=folder.version, **asdict(ending.model))
        return True

    async def _fail(self, ending: Failed) -> bool:
        async def write() -> None:
            async with self.database.transaction() as connection:
                await self.queue.fail(connection, self.lease.claim, ending.code, ending.message)

        await self._until_written(write)
        trace = {"exception": ending.trace} if ending.trace else {}
        self.log.error(Event.JOB_FAILED, error_code=ending.code, error_message=ending.message, **trace)
        return False

    async def _release(self) -> bool:
        async def write() -> None:
            async with self.database.transaction() as connection:
                await self.queue.release(connection, self.lease.claim)

        await self._until_written(write)
        self.log.info(Event.JOB_RELEASED)
        return False

    async def _until_written(self, write: Callable[[], Awaitable[None]]) -> None:
        """Repeat a final write while Postgres is away and the job must still be ours."""
        while True:
            try:
                return await write()
            except OUTAGE:
                if not self.lease.trusted:
                    raise LeaseLost("the last write did not go through before the lease ran out") from None
                await asyncio.sleep(random.uniform(0.2, 1.0))
