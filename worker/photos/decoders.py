"""Decodes photos in processes of their own, so that none costs more than itself.

A photo whose decoder crashes, takes too long or grows beyond what its header says is tried once more, in a new process
and while nothing else is decoded. Then it is skipped.
"""

import queue
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

from worker.errors import ErrorCode, JobError
from worker.photos.decoder_messages import Request
from worker.photos.decoder_process import DecoderEnded, DecoderProcess, PreparedPhoto
from worker.photos.decoding_limits import SMALL, DecodingLimits
from worker.photos.desk import MOST_VIEWS
from worker.photos.unreadable import FailedDecoding, SkipReason, UnreadablePhoto

LARGE_FILE: Final = 32 << 20
"""Files of more bytes are read while nothing else is decoded."""

MOST_KILLS: Final = 3
"""Number of processes killed in a row, at one photo, after which the machine has too little memory."""

WHAT_HAPPENED: Final = {
    SkipReason.DECODER_CRASHED: "crashed its decoder",
    SkipReason.TOO_SLOW: "took its decoder too long",
    SkipReason.TOO_LARGE: "took its decoder more memory than its header says",
}


class Decoders:
    """A pool of processes, which start when they are first needed. Any thread may use it; leaving it ends them."""

    def __init__(self, limits: DecodingLimits) -> None:
        self.limits = limits
        self._memory = MemoryBudget(limits.memory)
        # The last one used comes first, so that one thread needs one process.
        self._free: queue.LifoQueue[_Place] = queue.LifoQueue()
        # The kernel takes the thread that starts a process for its parent; this one lives as long as the pool.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="decoders")
        self._places = [_Place(limits, self._starter) for _ in range(limits.processes)]
        for place in self._places:
            self._free.put(place)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for place in self._places:
            place.ask_to_end()
        for place in self._places:
            place.end()
        self._starter.shutdown()

    def prepare(
        self,
        path: Path,
        sha256: str = "0" * 64,
        views: Sequence[str] = (),
        *,
        facts: bool = False,
        thumbnail: bool = False,
    ) -> PreparedPhoto:
        """Decode the photo at `path`: its `views`, with the seed `sha256`, its facts and its thumbnail.

        Raises:
            UnreadablePhoto: a fault of the file; FailedDecoding where it ended its decoder twice.
            OSError: a fault of the storage.
            JobError: `out_of_memory` where decoders are killed again and again, `child_died` where none can start.
        """
        if len(views) > MOST_VIEWS:
            raise ValueError(f"{len(views)} views are too many: a process has room for {MOST_VIEWS}")
        alone = path.stat().st_size > LARGE_FILE
        request = Request(str(path), sha256, tuple(views), facts, thumbnail, SMALL)
        place = self._free.get()
        try:
            try:
                return self._ask_alone(place, request) if alone else self._ask(place, request)
            except DecoderEnded:
                return self._ask_once_more(place, request)
            except UnreadablePhoto as refusal:
                # Some decoders call it damage when their memory is at an end.
                if alone or refusal.reason is not SkipReason.TRUNCATED:
                    raise
                return self._ask_once_more(place, request)
        finally:
            self._free.put(place)

    def _ask_once_more(self, place: "_Place", request: Request) -> PreparedPhoto:
        try:
            return self._ask_alone(place, request)
        except DecoderEnded as ended:
            assert ended.reason
            text = f"{request.path} {WHAT_HAPPENED[ended.reason]}; save it again as JPEG."
            raise FailedDecoding(ended.reason, text, ended.sha256) from None

    def _ask_alone(self, place: "_Place", request: Request) -> PreparedPhoto:
        """Who has all memory for photos is the only one in decoding."""
        return self._ask(place, replace(request, granted=self.limits.memory))

    def _ask(self, place: "_Place", request: Request) -> PreparedPhoto:
        """Raises DecoderEnded only with a reason."""
        for _ in range(MOST_KILLS):
            try:
                return place.process().prepare(request, self._memory.take)
            except DecoderEnded as ended:
                place.end()
                if ended.reason:
                    raise
            except (UnreadablePhoto, OSError):
                raise
            except BaseException:
                place.end()  # it may be anywhere in a photo
                raise
        raise JobError(
            ErrorCode.OUT_OF_MEMORY,
            f"{MOST_KILLS} processes that decode photos were killed in a row, the last ones at {request.path}; most "
            "likely memory ran out. Raise the container's limit, or set CHILD_MEMORY_MB to what there is.",
        )


class MemoryBudget:
    """Bytes of memory, taken in the order in which they are asked for, so that who wants much gets it in the end."""

    def __init__(self, total: int) -> None:
        self._free = total
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()

    @contextmanager
    def take(self, amount: int) -> Iterator[None]:
        """Wait for `amount` bytes, at most the total, and have them inside. A thread must not take twice."""
        me = object()
        with self._changed:
            self._waiting.append(me)
            try:
                self._changed.wait_for(lambda: self._waiting[0] is me and self._free >= amount)
                self._free -= amount
            finally:
                self._waiting.remove(me)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += amount
                self._changed.notify_all()


class _Place:
    """A place for a process, used by one thread at a time."""

    def __init__(self, limits: DecodingLimits, starter: ThreadPoolExecutor) -> None:
        self._limits, self._starter = limits, starter
        self._process: DecoderProcess | None = None

    def process(self) -> DecoderProcess:
        """The running process; a new one where there is none."""
        if self._process is None:
            self._process = self._starter.submit(DecoderProcess, self._limits).result()
        return self._process

    def ask_to_end(self) -> None:
        if self._process:
            self._process.ask_to_end()

    def end(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process:
            process.end()
