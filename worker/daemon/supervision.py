"""Supervises a child that trains a job: its messages and memory, the lease, a cancel, a stop and the deadline."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from worker.child.memory import held_bytes
from worker.child.messages import Ending, Failed, Finished, Message, Ready, Reconsider
from worker.daemon.child_process import Child, Children
from worker.daemon.shutdown import Shutdown
from worker.errors import ErrorCode
from worker.events import Event
from worker.job.job import ActiveModel, Job
from worker.job.outcome import Unchanged
from worker.job.progress import (
    Advanced,
    BackboneChosen,
    CacheUnusable,
    EpochFinished,
    FeaturesReady,
    ModelChosen,
    PhotoSkipped,
    StageFinished,
    StageStarted,
)
from worker.queue.claim import LeaseLost, Progress
from worker.queue.lease import Lease
from worker.settings import Settings

MEMORY_SECONDS = 0.5

LOGGED: dict[type[Message], Event] = {
    StageStarted: Event.STAGE_STARTED,
    StageFinished: Event.STAGE_FINISHED,
    EpochFinished: Event.EPOCH_FINISHED,
    BackboneChosen: Event.BACKBONE_CHOSEN,
    FeaturesReady: Event.FEATURES_READY,
    ModelChosen: Event.MODEL_CHOSEN,
}


@dataclass(frozen=True)
class Interrupted:
    """The worker must stop, and the job would take too long to finish."""


@dataclass(frozen=True)
class Supervision:
    """A child that has a job until `deadline`, by the event loop's clock; `keeping` is the task of `Lease.keep`."""

    settings: Settings
    child: Child
    deadline: float
    lease: Lease
    keeping: asyncio.Task[NoReturn]
    shutdown: Shutdown
    log: Any

    async def ending(self) -> Ending | Interrupted:
        """Wait for the job's ending. After a Finished, the child waits with the model in memory.

        Raises LeaseLost and CancelRequested.
        """
        listening = asyncio.create_task(self._first_ending(self.child))
        watching = asyncio.create_task(self._watch(listening, self.shutdown))
        try:
            async with asyncio.timeout_at(self.deadline):
                return await watching
        except TimeoutError:
            message = f"Training was not done after JOB_TIMEOUT, {self.settings.job_timeout:g} seconds."
            return Failed(ErrorCode.TIMED_OUT, message)
        finally:
            watching.cancel()
            listening.cancel()

    async def reconsider(self, active: ActiveModel | None) -> Ending | Interrupted:
        """Ask for a new decision with `active` as the active model (`None`: none); returns and raises as `ending`."""
        self.child.ask(Reconsider(active))
        return await self.ending()

    async def _watch(self, listening: asyncio.Task[Ending], shutdown: Shutdown) -> Ending | Interrupted:
        asked, hurry = (asyncio.create_task(event.wait()) for event in (shutdown.asked, shutdown.hurry))
        try:
            await self._first_of(listening, asked)
            if asked.done() and not listening.done() and self._is_nearly_done():
                await self._first_of(listening, hurry, seconds=self.settings.shutdown_grace)
            return listening.result() if listening.done() else Interrupted()
        finally:
            asked.cancel()
            hurry.cancel()

    async def _first_of(self, *tasks: asyncio.Task[Any], seconds: float | None = None) -> None:
        """Wait for one of the tasks; raises the exception of `keeping` if that has ended."""
        await asyncio.wait({*tasks, self.keeping}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if self.keeping.done():
            self.keeping.result()

    def _is_nearly_done(self) -> bool:
        left = self.lease.progress.seconds_left
        return left is not None and left <= self.settings.shutdown_grace

    async def _first_ending(self, child: Child) -> Ending:
        """The child's own ending, or the failure that it uses too much memory."""
        tasks = {asyncio.create_task(self._listen(child)), asyncio.create_task(self._watch_memory(child))}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for task in tasks:
                task.cancel()

    async def _watch_memory(self, child: Child) -> Ending:
        limit = self.settings.child_memory_mb
        while limit is None or held_bytes(child.process.pid) < limit << 20:
            await asyncio.sleep(MEMORY_SECONDS)
        return Failed(
            ErrorCode.OUT_OF_MEMORY,
            f"Training took more than CHILD_MEMORY_MB, {limit} MB, and was stopped. Raise it.",
        )

    async def _listen(self, child: Child) -> Ending:
        try:
            async for message in child.messages():
                match message:
                    case Finished() | Unchanged() | Failed():
                        return message
                    case Ready():
                        pass  # from a standby child that got its job before its Ready was read
                    case Advanced():
                        progress = Progress(message.percentage, message.current_stage, message.seconds_left)
                        self.lease.show(progress)
                    case PhotoSkipped():
                        self.log.warning(Event.PHOTO_SKIPPED, **asdict(message))
                    case CacheUnusable():
                        self.log.warning(Event.CACHE_UNUSABLE, reason=message.reason)
                    case _:
                        self.log.info(LOGGED[type(message)], **asdict(message))
        except (ValueError, KeyError, TypeError) as error:
            return Failed(
                ErrorCode.INTERNAL_ERROR, f"The training process sent a message that cannot be read: {error}"
            )
        death = await child.death()
        self.log.error(Event.CHILD_DIED, reason=death.message, stderr_tail=list(child.stderr_tail))
        return death


@asynccontextmanager
async def supervised(
    settings: Settings,
    job: Job,
    lease: Lease,
    keeping: asyncio.Task[NoReturn],
    shutdown: Shutdown,
    children: Children,
    log: Any,
) -> AsyncIterator[Supervision]:
    """Have a child train `job`; on leaving, end the child."""
    deadline = asyncio.get_running_loop().time() + settings.job_timeout
    async with children.train(job, log) as child:
        try:
            yield Supervision(settings, child, deadline, lease, keeping, shutdown, log)
        except LeaseLost:
            await child.kill()
            raise
