"""The training child as the daemon sees it: start it, listen to it, stop it."""

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
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
from worker.errors import ErrorCode
from worker.events import Event
from worker.job.job import Job

# Advice may name every photo of a shop.
LINE_LIMIT = 1 << 24
GRACE_SECONDS = 1.5
# What runs in the child, `python -m …`.
MODULE = "worker.child"
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}


@dataclass
class Child:
    """A running training child. Its messages end when it does; `stderr_tail` is the end of its standard error."""

    process: asyncio.subprocess.Process
    log: Any
    stderr_tail: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    silent: asyncio.Event = field(default_factory=asyncio.Event)
    kernel_kills: int = field(default_factory=kills_by_kernel)

    async def messages(self) -> AsyncIterator[Message]:
        """What the child tells, until it closes its output."""
        assert self.process.stdout
        async for line in self.process.stdout:
            yield decode(line)

    def ask(self, question: Reconsider) -> None:
        """Send a question to a child that has finished; one that died meanwhile is noticed by its silence."""
        assert self.process.stdin
        self.process.stdin.write(encode_reconsider(question))

    async def death(self) -> Failed:
        """Wait for the end of a child that told no ending, and say why that was."""
        code = await self.process.wait()
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        # What the child started may outlive it by a moment, and hold its output open.
        self._signal(signal.SIGKILL)
        await self.silent.wait()
        if kills_by_kernel() > self.kernel_kills or speaks_of_memory(self.stderr_tail):
            message = f"The training process ran out of memory ({how})."
            return Failed(ErrorCode.OUT_OF_MEMORY, message, "\n".join(self.stderr_tail))
        message = f"The training process ended without a result ({how})."
        return Failed(ErrorCode.CHILD_DIED, message, "\n".join(self.stderr_tail))

    async def stop(self) -> None:
        """SIGTERM, then after a grace SIGKILL, to the child and all that it started."""
        if self.process.returncode is None:
            self._signal(signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE_SECONDS):
                    await self.process.wait()
        await self.kill()

    async def kill(self) -> None:
        """SIGKILL to the child and all that it started."""
        self._signal(signal.SIGKILL)
        await self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def __post_init__(self) -> None:
        self._relaying = asyncio.create_task(self._relay_output())

    async def end(self) -> None:
        """Stop the child, if it is not gone yet, and hear the last that it printed."""
        await self.stop()
        await self._relaying

    async def _relay_output(self) -> None:
        """Log what the child and its libraries print, a line an event."""
        assert self.process.stderr
        async for line in _lines(self.process.stderr):
            self.stderr_tail.append(line)
            self.log.debug(Event.CHILD_OUTPUT, line=line)
        self.silent.set()


@dataclass
class Children:
    """Starts training children, and has one prepare what no job should wait for.

    With `stand_by` that one stays: it has imported what takes long, and gets the next job. `environment` is
    added to the daemon's own; it carries what children need to know, the password included.
    """

    environment: dict[str, str]
    stand_by: bool
    log: Any
    _standby: Child | None = None
    _preparing: asyncio.Task[None] | None = None

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

    @asynccontextmanager
    async def train(self, job: Job, log: Any) -> AsyncIterator[Child]:
        """A child that trains `job`; on leaving, it is gone with all that it started."""
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
        """Begin to prepare, unless that is under way."""
        if self._preparing is None or self._preparing.done():
            self._preparing = asyncio.create_task(self._prepare())

    async def _prepare(self) -> None:
        child = await self._start(STANDBY if self.stand_by else PREPARE)
        stays = False
        try:
            message = await anext(aiter(child.messages()), None)
            if isinstance(message, Ready):
                self.log.info(Event.BACKBONE_READY, seconds=message.seconds, stands_by=self.stand_by)
                if self.stand_by:
                    self._standby, stays = child, True
            elif isinstance(message, Failed):
                said = {"error_code": message.code, "error_message": message.message}
                self.log.warning(Event.BACKBONE_UNUSABLE, **said)
        finally:
            if not stays:
                await child.end()

    async def _take(self) -> Child | None:
        """The child that stands by, unless it died in the meantime."""
        child, self._standby = self._standby, None
        if child and child.process.returncode is not None:
            await child.end()
            return None
        return child

    async def _start(self, *arguments: str) -> Child:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            MODULE,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | QUIET | _threads() | self.environment | {"DAEMON_PID": str(os.getpid())},
            limit=LINE_LIMIT,
            start_new_session=True,
        )
        return Child(process, self.log)


def _threads() -> dict[str, str]:
    """One thread for each operation of a library, and as many operations at once as there are cores.

    How a library divides an operation among threads depends on their number, and so does the rounding of its sums:
    with one thread, the number of cores cannot change a model.
    """
    return dict.fromkeys(ONE_THREAD, "1") | {"TF_NUM_INTEROP_THREADS": str(usable_cores())}


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Lines of any length, in pieces where they are longer than anybody reads."""
    rest = b""
    while chunk := await stream.read(1 << 16):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if text := line.decode(errors="replace").strip():
                yield text[:2000]
        rest = rest[-(1 << 16) :]
    if text := rest.decode(errors="replace").strip():
        yield text[:2000]
