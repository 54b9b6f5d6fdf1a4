"""A process that decodes photos, `python -m worker.photos.decoder`: reads requests from its standard input.

A photo that crashes, stops or blows up a decoder does so here, and not in the process that trains. The kernel ends
this process when its time for a photo is over, and refuses it more memory than it was granted. It takes no locks,
has no threads of its own, and dies with its parent.
"""

import ctypes
import errno
import gc
import hashlib
import mmap
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from PIL import Image

from worker.lifeline import die_with_parent
from worker.photos import decoder_messages as messages
from worker.photos.augmentation import WHOLE, make_view
from worker.photos.decode import OpenPhoto, Reserve, open_photo
from worker.photos.decoding_limits import RESTING
from worker.photos.desk import Desk
from worker.photos.facts import photo_facts
from worker.photos.file import read_photo, too_large
from worker.photos.thumbnails import thumbnail
from worker.photos.unreadable import UnreadablePhoto

MUCH: Final = 64 << 20
"""Bytes of memory for a photo after which the free memory is returned to the system, which takes milliseconds."""

Open = Callable[[Path, bytes, Reserve], OpenPhoto]


class Memory:
    """This process's limit on its address space."""

    def __init__(self) -> None:
        self._started, self._hard = _address_space(), resource.getrlimit(resource.RLIMIT_AS)[1]
        self.grant(0)

    def grant(self, granted: int) -> None:
        """Limit the address space to that at the start, RESTING, and `granted` bytes."""
        self._soft = self._started + RESTING + granted
        if self._hard != resource.RLIM_INFINITY:
            self._soft = min(self._soft, self._hard)
        resource.setrlimit(resource.RLIMIT_AS, (self._soft, self._hard))

    def take_back(self) -> None:
        """Grant nothing more."""
        if self._soft > self._started + RESTING + MUCH:
            gc.collect()
            if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
                trim(0)
        self.grant(0)

    def is_limit(self) -> bool:
        """Whether the limit refused the memory, not the machine: then what is left below it can be had."""
        left = self._soft - _address_space() - mmap.PAGESIZE
        try:
            if left > 0:
                mmap.mmap(-1, left, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
        except (OSError, MemoryError):
            return False
        return True


def serve(open_photo: Open = open_photo) -> None:
    """Answer requests until the input ends. The arguments are the parent's process id, the descriptor of the desk, and
    the limits of memory in bytes and of CPU time in seconds for a photo."""
    parent, file, most, cpu_seconds = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers, desk = _claim_stdout(), Desk(file)
    _warm_up()
    memory = Memory()
    _send(answers, messages.Ready())
    while (request := _receive()) is not None:
        assert isinstance(request, messages.Request)
        # The kernel ends the process with SIGPROF.
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        memory.grant(request.granted)
        message = _answer(request, open_photo, memory, most, answers, desk)
        signal.setitimer(signal.ITIMER_PROF, 0)
        _send(answers, message)
        memory.take_back()


def _answer(
    request: messages.Request, open_photo: Open, memory: Memory, most: int, answers: BinaryIO, desk: Desk
) -> messages.Message:
    """The last message about a photo, which it puts on the desk."""
    path = Path(request.path)

    def reserve(needed: int) -> None:
        if needed > most:
            size = f"decoding it takes about {needed >> 20} MB of memory, and {most >> 20} MB is the limit"
            raise too_large(path, size)
        if needed > request.granted:
            _send(answers, messages.Needs(needed))
            if not isinstance(_receive(), messages.Granted):
                sys.exit("the parent ended in the middle of a photo")
            memory.grant(needed)

    try:
        data = read_photo(path)
        desk.sha256 = hashlib.sha256(data).hexdigest()
        opened = open_photo(path, data, reserve)
        views = [make_view(opened, request.sha256, name) for name in request.views]
        facts = asdict(photo_facts(opened)) if request.facts else None
        jpeg = thumbnail(opened) if request.thumbnail else b""
        desk.put_down(views, jpeg)
        return messages.Prepared(facts, len(jpeg))
    except UnreadablePhoto as error:
        return messages.Refused(error.reason, str(error))
    except OSError as error:
        failed = error.errno or errno.EIO
        return messages.Unreadable(failed, error.strerror or str(error), str(error.filename or path))
    except MemoryError:
        pass  # the memory is free only after this block
    return messages.OutOfMemory(memory.is_limit())


def _receive() -> messages.Message | None:
    """The next message; None at the end of the input."""
    start = sys.stdin.buffer.read(messages.LENGTH.size)
    return messages.decode(sys.stdin.buffer.read(*messages.LENGTH.unpack(start))) if start else None


def _send(answers: BinaryIO, message: messages.Message) -> None:
    answers.write(messages.encode(message))
    answers.flush()


def _claim_stdout() -> BinaryIO:
    """Return standard output for messages only; redirect what libraries print to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def _warm_up() -> None:
    """Have the libraries allocate what they keep, before the address space is measured."""
    data = BytesIO()
    # Not of one colour, whose facts need no computation.
    Image.fromarray(np.arange(32 * 32, dtype=np.uint8).reshape(32, 32)).save(data, "JPEG")
    opened = open_photo(Path("warm-up"), data.getvalue())
    for name in (WHOLE, "crop-1"):
        make_view(opened, "0" * 64, name)
    photo_facts(opened)
    thumbnail(opened)


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE


if __name__ == "__main__":
    serve()
