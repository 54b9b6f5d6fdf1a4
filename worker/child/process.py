"""The daemon's side of a training child: start it, listen to it, stop it."""

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from worker.child.memory import kills_by_kernel, speaks_of_memory
from worker.child.messages import Failed, Message, decode, encode_job
from worker.errors import ErrorCode
from worker.events import Event
from worker.training.job import Job

LINE_LIMIT = 1 << 20
GRACE_SECONDS = 1.5
# What runs in the child, `python -m …`.
MODULE = "worker.child"
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}


@dataclass
class Child:
    """A running training child. Its messages end when it does; `last_words` is what it printed last."""

    process: asyncio.subprocess.Process
    last_words: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    silent: asyncio.Event = field(default_factory=asyncio.Event)
    kernel_kills: int = field(default_factory=kills_by_kernel)

    async def messages(self) -> AsyncIterator[Message]:
        """What the child tells, until it closes its output."""
        assert self.process.stdout
        async for line in self.process.stdout:
            yield decode(line)

    async def death(self) -> Failed:
        """Wait for the end of a child that told no ending, and say why that was."""
        code = await self.process.wait()
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        # What the child started may outlive it by a moment, and hold its output open.
        self._signal(signal.SIGKILL)
        await self.silent.wait()
        if kills_by_kernel() > self.kernel_kills or speaks_of_memory(self.last_words):
            message = f"The training process ran out of memory ({how})."
            return Failed(ErrorCode.OUT_OF_MEMORY, message, "\n".join(self.last_words))
        message = f"The training process ended without a result ({how})."
        return Failed(ErrorCode.CHILD_DIED, message, "\n".join(self.last_words))

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

    async def relay_output(self, log: Any) -> None:
        """Log what the child and its libraries print, a line an event."""
        assert self.process.stderr
        async for line in _lines(self.process.stderr):
            self.last_words.append(line)
            log.debug(Event.CHILD_OUTPUT, line=line)
        self.silent.set()


@asynccontextmanager
async def training_child(job: Job, conninfo: str, log: Any) -> AsyncIterator[Child]:
    """A child that trains `job`; on leaving, it is gone with all that it started.

    The connection string, which holds a password, goes by the environment.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        MODULE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | QUIET | {"DATABASE_URL": conninfo, "DAEMON_PID": str(os.getpid())},
        limit=LINE_LIMIT,
        start_new_session=True,
    )
    child = Child(process)
    log.info(Event.CHILD_STARTED, child_pid=process.pid)
    output = asyncio.create_task(child.relay_output(log))
    try:
        assert process.stdin
        process.stdin.write(encode_job(job))
        yield child
    finally:
        await child.stop()
        await output


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
