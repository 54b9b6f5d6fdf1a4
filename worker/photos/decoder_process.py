"""The parent's side of a process that decodes photos: starts it, talks to it, and finds out why it ended."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from worker.errors import ErrorCode, JobError
from worker.photos import decoder_messages as messages
from worker.photos.decoding_limits import DecodingLimits
from worker.photos.desk import Desk
from worker.photos.facts import PhotoFacts
from worker.photos.unreadable import SkipReason, UnreadablePhoto

MODULE = "worker.photos.decoder"
"""What the process runs, `python -m …`."""

ENVIRONMENT: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(8 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(48 << 20),
}
"""A thread's own heap or buffer would take address space that no photo needs. The heap of a usual photo is kept for the
next one, which saves a quarter of the time; that of a large one goes back to the system."""

BLAMED: Final[dict[int, SkipReason]] = {
    **dict.fromkeys(
        (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP),
        SkipReason.DECODER_CRASHED,
    ),
    signal.SIGPROF: SkipReason.TOO_SLOW,
}
"""What a photo does to a decoder, by the signal that ended it. Any other signal came from outside."""

LOOKS: Final = 30
"""How often in a row a process must be found asleep, spread over the seconds that it may be."""

END_SECONDS: Final = 5.0

LONGEST: Final = 1 << 16
"""In bytes, of a message."""

Take = Callable[[int], AbstractContextManager[None]]


class DecoderEnded(Exception):
    """A process ended, or has to be ended, in the middle of a photo.

    `reason` is what the photo is to blame for; None where it was killed from outside, or the machine's memory is at
    an end. `sha256` is that of the file's content, empty where that was not read to its end.
    """

    def __init__(self, reason: SkipReason | None, sha256: str) -> None:
        super().__init__(f"{reason or 'killed from outside'}")
        self.reason, self.sha256 = reason, sha256


class Asleep(Exception):
    """A process has read a photo, and only sleeps."""


@dataclass(frozen=True)
class PreparedPhoto:
    """What was asked for of a photo: views uint8 `[views, 224, 224, 3]`, facts, and a thumbnail's JPEG.

    `sha256` is that of the file's content.
    """

    sha256: str
    views: npt.NDArray[np.uint8]
    facts: PhotoFacts | None
    thumbnail: bytes


class DecoderProcess:
    """A running process, for one photo at a time. It is killed when the thread that made this object ends."""

    def __init__(self, limits: DecodingLimits) -> None:
        self._desk = Desk.new()
        arguments = (os.getpid(), self._desk.file, limits.memory, limits.cpu_seconds)
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE, *map(str, arguments)],
            pass_fds=[self._desk.file],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=os.environ | ENVIRONMENT,
        )
        self._is_ready = False
        assert self._process.stdin
        assert self._process.stdout
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)
        self._look_seconds = limits.idle_seconds / LOOKS

    def prepare(self, request: messages.Request, take: Take) -> PreparedPhoto:
        """Have the process prepare a photo; `take` waits for so many bytes of memory, and gives them back.

        Raises UnreadablePhoto and OSError as `read_photo` and `open_photo` do; DecoderEnded, after which this object
        is good for nothing; JobError where the process cannot start.
        """
        self._desk.sha256 = ""
        try:
            self._wait_until_ready()
            with ExitStack() as taken:
                taken.enter_context(take(request.granted))
                self._send(request)
                while isinstance(message := self._receive(), messages.Needs):
                    taken.close()  # who holds some while it waits for more keeps others from it
                    taken.enter_context(take(message.memory))
                    self._send(messages.Granted())
            return self._result(request, message)
        except EOFError:
            raise DecoderEnded(self._blamed_for(), self._desk.sha256) from None
        except Asleep:
            raise DecoderEnded(SkipReason.TOO_SLOW, self._desk.sha256) from None
        except (ValueError, LookupError, TypeError):  # it writes nonsense: its memory is damaged
            raise DecoderEnded(SkipReason.DECODER_CRASHED, self._desk.sha256) from None

    def ask_to_end(self) -> None:
        """Tell the process that no more requests come."""
        with suppress(OSError):
            self._requests.close()

    def end(self) -> None:
        """Wait for the end of a process that was asked to, or kill it."""
        try:
            self._process.wait(END_SECONDS if self._requests.closed else 0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.ask_to_end()
        self._answers.close()
        self._desk.close()

    def _wait_until_ready(self) -> None:
        if self._is_ready:
            return
        try:
            self._is_ready = isinstance(self._receive(), messages.Ready)
        except EOFError:
            status = self._process.wait()
            if -status in (signal.SIGKILL, signal.SIGTERM):
                raise
            message = f"A process that decodes photos could not start (exit status {status})."
            raise JobError(ErrorCode.CHILD_DIED, message) from None

    def _result(self, request: messages.Request, message: messages.Message) -> PreparedPhoto:
        """What was asked for, or the exception for what the process says instead."""
        match message:
            case messages.Refused(reason, text):
                raise UnreadablePhoto(SkipReason(reason), text)
            case messages.Unreadable(errno, text, file):
                raise OSError(errno, text, file)
            case messages.OutOfMemory(by_limit):
                raise DecoderEnded(SkipReason.TOO_LARGE if by_limit else None, self._desk.sha256)
            case messages.Prepared(facts, length):
                views, thumbnail = self._desk.take_up(len(request.views), length)
                return PreparedPhoto(
                    self._desk.sha256, views, PhotoFacts(**facts) if facts else None, thumbnail
                )
        raise ValueError(f"a process that decodes photos sent {message}")

    def _send(self, message: messages.Message) -> None:
        data = memoryview(messages.encode(message))
        try:
            while data:
                data = data[self._requests.write(data) :]
        except BrokenPipeError:
            raise EOFError from None

    def _receive(self) -> messages.Message:
        """Raises EOFError where the process has ended; Asleep; ValueError, LookupError or TypeError for nonsense."""
        [length] = messages.LENGTH.unpack(self._read(messages.LENGTH.size))
        return messages.decode(self._read(min(length, LONGEST)))

    def _read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            self._wait()
            got = os.read(self._answers.fileno(), length - len(data))
            if not got:
                raise EOFError
            data += got
        return data

    def _wait(self) -> None:
        """Wait for something to read. Who is stopped, or waits for a CPU or for the storage, does not sleep."""
        asleep, before = 0, -1
        while not self._poll.poll(1000 * self._look_seconds):
            state, used = _state(self._process.pid)
            rests = state in "SD" and used == before and self._desk.sha256
            asleep, before = asleep + 1 if rests else 0, used
            if asleep >= LOOKS:
                raise Asleep

    def _blamed_for(self) -> SkipReason | None:
        """Why the process closed its output: what the photo is to blame for, if it is."""
        try:
            status = self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            return SkipReason.DECODER_CRASHED
        return BLAMED.get(-status) if status < 0 else SkipReason.DECODER_CRASHED


def _state(pid: int) -> tuple[str, int]:
    """The state of a process, and the CPU time that it has used; `X` where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "X", 0
    return fields[0], int(fields[11]) + int(fields[12])
