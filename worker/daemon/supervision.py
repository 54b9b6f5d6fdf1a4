"""Watches a child that trains a job, and what could end that: the lease, a cancel, a stop, the deadline, memory."""

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
    EpochFinished,
    FeaturesReady,
    ModelChosen,
    PhotoSkipped,
    StageFinished,
    StageStarted,
)
from worker.queue.jobs import LeaseLost, Progress
from worker.queue.lease import Lease
from worker.settings import Settings

MEMORY_SECONDS = 0.5

LOGGED: dict[type[Message], Event] = {
    StageStarted: Event.STAGE_STARTED,
    StageFinished: Event.STAGE_FINISHED,
    EpochFinished: Event.EPOCH_FINISHED,
    FeaturesReady: Event.FEATURES_READY,
    ModelChosen: Event.MODEL_CHOSEN,
}


@dataclass(frozen=True)
class Interrupted:
    """The worker was asked to stop, and the job would have taken too long to end."""


@dataclass(frozen=True)
class Supervision:
    """A child that has a job until `deadline`, by the event loop's clock; `keeping` is the task that keeps the
    job's lease."""

    settings: Settings
    child: Child
    deadline: float
    lease: Lease
    keeping: asyncio.Task[NoReturn]
    shutdown: Shutdown
    log: Any

    async def ending(self) -> Ending | Interrupted:
        """What becomes of the job. After a Finished, the child waits with its work in memory.

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
        """What becomes of the job now that another model, or none, is active; as `ending`."""
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
        """Wait for one of the tasks; raises what ended the keeping of the lease."""
        await asyncio.wait({*tasks, self.keeping}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if self.keeping.done():
            self.keeping.result()

    def _is_nearly_done(self) -> bool:
        left = self.lease.progress.seconds_left
        return left is not None and left <= self.settings.shutdown_grace

    async def _first_ending(self, child: Child) -> Ending:
        """The child's own ending, or that it takes too much memory."""
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
                        pass  # a standby that was given its job before it had said so
                    case Advanced():
                        progress = Progress(message.percentage, message.current_stage, message.seconds_left)
                        self.lease.show(progress)
                    case PhotoSkipped():
                        self.log.warning(Event.PHOTO_SKIPPED, **asdict(message))
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
    """Have a child train `job`; on leaving, the child is gone."""
    deadline = asyncio.get_running_loop().time() + settings.job_timeout
    async with children.train(job, log) as child:
        try:
            yield Supervision(settings, child, deadline, lease, keeping, shutdown, log)
        except LeaseLost:
            await child.kill()
            raise
