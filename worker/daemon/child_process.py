"""The daemon's side of the training child: starts it, reads its messages, stops it."""

import asyncio
import os
import shutil
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from worker.child.memory import kills_by_kernel, speaks_of_memory
from worker.child.messages import (
    PREPARE,
    STANDBY,
    Failed,
    Message,
    Ready,
    Reconsider,
    decode,
    encode_job,
    encode_reconsider,
)
from worker.cores import usable_cores
from worker.daemon.temporary import TemporaryFolder
from worker.errors import ErrorCode
from worker.events import Event
from worker.job.job import Job
from worker.job.progress import CacheUnusable

# In bytes; the advice in one message may name every photo of a shop.
LINE_LIMIT = 1 << 24
GRACE_SECONDS = 1.5
# The module that the child runs, `python -m …`.
MODULE = "worker.child"
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}


@dataclass
class Child:
    """A running training child; `stderr_tail` are the last lines of its standard error, `silent` is set at that end.

    `temporary` is its TMPDIR, which goes with it; `None` where it has the daemon's.
    """

    process: asyncio.subprocess.Process
    log: Any
    temporary: Path | None = None
    stderr_tail: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    silent: asyncio.Event = field(default_factory=asyncio.Event)
    kernel_kills: int = field(default_factory=kills_by_kernel)

    async def messages(self) -> AsyncIterator[Message]:
        """Yield the child's messages until it closes its output."""
        assert self.process.stdout
        async for line in self.process.stdout:
            yield decode(line)

    def ask(self, question: Reconsider) -> None:
        """Send a question to a child after its Finished; if it has died, its messages end without an answer."""
        assert self.process.stdin
        self.process.stdin.write(encode_reconsider(question))

    async def death(self) -> Failed:
        """Wait for the end of a child that sent no ending, and return the cause."""
        code = await self.process.wait()
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        # Descendants of the child may outlive it by a moment, and keep its output open.
        self._signal(signal.SIGKILL)
        await self.silent.wait()
        if kills_by_kernel() > self.kernel_kills or speaks_of_memory(self.stderr_tail):
            message = f"The training process ran out of memory ({how})."
            return Failed(ErrorCode.OUT_OF_MEMORY, message, "\n".join(self.stderr_tail))
        message = f"The training process ended without a result ({how})."
        return Failed(ErrorCode.CHILD_DIED, message, "\n".join(self.stderr_tail))

    async def stop(self) -> None:
        """Send SIGTERM, then after GRACE_SECONDS SIGKILL, to the child and all its descendants."""
        if self.process.returncode is None:
            self._signal(signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE_SECONDS):
                    await self.process.wait()
        await self.kill()

    async def kill(self) -> None:
        """Send SIGKILL to the child and all its descendants."""
        self._signal(signal.SIGKILL)
        await self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def __post_init__(self) -> None:
        self._relaying = asyncio.create_task(self._relay_output())

    async def end(self) -> None:
        """Stop the child, if it still runs, log the rest of its output, and remove its temporary files."""
        await self.stop()
        await self._relaying
        if self.temporary:
            shutil.rmtree(self.temporary, ignore_errors=True)

    async def _relay_output(self) -> None:
        """Log the standard error of the child and its libraries, one event for each line."""
        assert self.process.stderr
        async for line in _lines(self.process.stderr):
            self.stderr_tail.append(line)
            self.log.debug(Event.CHILD_OUTPUT, line=line)
        self.silent.set()


@dataclass
class Children:
    """Starts training children, and one that prepares the backbone, so that no job waits for it.

    With `stand_by`, that child imports TensorFlow too, waits and gets the next job. `environment` is added to
    the daemon's own; it has the settings that children need, with the password.
    """

    environment: dict[str, str]
    stand_by: bool
    log: Any
    _standby: Child | None = None
    _preparing: asyncio.Task[None] | None = None
    _temporary: TemporaryFolder = field(default_factory=TemporaryFolder)

    async def __aenter__(self) -> Self:
        self.prepare()
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._preparing:
            self._preparing.cancel()
            with suppress(asyncio.CancelledError):
                await self._preparing
        if self._standby:
            await self._standby.end()
        self._temporary.remove()

    @asynccontextmanager
    async def train(self, job: Job, log: Any) -> AsyncIterator[Child]:
        """Start a child that trains `job`; on leaving, end it and all its descendants."""
        child = await self._take() or await self._start()
        child.log = log
        log.info(Event.CHILD_STARTED, child_pid=child.process.pid)
        try:
            assert child.process.stdin
            child.process.stdin.write(encode_job(job))
            yield child
        finally:
            await child.end()
            if self.stand_by:
                self.prepare()

    def prepare(self) -> None:
        """Start the preparation, unless one is running."""
        if self._preparing is None or self._preparing.done():
            self._preparing = asyncio.create_task(self._prepare())

    async def _prepare(self) -> None:
        child = await self._start(STANDBY if self.stand_by else PREPARE)
        stays = False
        try:
            async for message in child.messages():
                if isinstance(message, CacheUnusable):
                    self.log.warning(Event.CACHE_UNUSABLE, reason=message.reason)
                elif isinstance(message, Ready):
                    self.log.info(Event.BACKBONE_READY, seconds=message.seconds, stands_by=self.stand_by)
                    if self.stand_by:
                        self._standby, stays = child, True
                    return
                elif isinstance(message, Failed):
                    fields = {"error_code": message.code, "error_message": message.message}
                    self.log.warning(Event.BACKBONE_UNUSABLE, **fields)
                    return
        finally:
            if not stays:
                await child.end()

    async def _take(self) -> Child | None:
        """Return the standby child; `None` where there is none or it has died."""
        child, self._standby = self._standby, None
        if child and child.process.returncode is not None:
            await child.end()
            return None
        return child

    async def _start(self, *arguments: str) -> Child:
        temporary = self._temporary.new()
        own = {"TMPDIR": str(temporary)} if temporary else {}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            MODULE,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ
            | QUIET
            | thread_settings()
            | self.environment
            | own
            | {"DAEMON_PID": str(os.getpid())},
            limit=LINE_LIMIT,
            start_new_session=True,
        )
        return Child(process, self.log, temporary)


def thread_settings() -> dict[str, str]:
    """The environment variables for one thread per operation of a library, and one operation per core at a time.

    The number of threads in an operation changes the rounding of its sums: with one thread, the number of cores
    cannot change a model.
    """
    return dict.fromkeys(ONE_THREAD, "1") | {"TF_NUM_INTEROP_THREADS": str(usable_cores())}


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Yield the stream's lines, cut to 2,000 characters."""
    rest = b""
    while chunk := await stream.read(1 << 16):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if text := line.decode(errors="replace").strip():
                yield text[:2000]
        rest = rest[-(1 << 16) :]
    if text := rest.decode(errors="replace").strip():
        yield text[:2000]
