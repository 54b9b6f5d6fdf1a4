"""A process that decodes photos, with decoders that fail: `python -m tests.support.faulty_decoder`, in place of ours.

The first word of a file's name says how its decoder fails: `crash.jpg`, `crash-1.jpg`. A file `log` beside it notes
each photo that begins, and each that ends.
"""

import ctypes
import errno
import os
import resource
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from worker.photos.decode import OpenPhoto, Reserve, open_photo
from worker.photos.decoder import serve
from worker.photos.unreadable import SkipReason, UnreadablePhoto


def crash(path: Path) -> None:
    ctypes.string_at(0)


def leave(path: Path) -> None:
    os._exit(3)


def babble(path: Path) -> None:
    """Write nonsense wherever the process can write, as one whose memory is damaged."""
    for file in range(3, 20):
        with suppress(OSError):
            os.write(file, b"\0\0\0\xff" + b"\xff" * 300)


def spin(path: Path) -> None:
    while True:
        pass


def sleep(path: Path) -> None:
    while True:
        time.sleep(60)


def linger(path: Path) -> None:
    """Wait until there is a file `go` beside it."""
    while not path.with_name("go").exists():
        time.sleep(0.01)


def grow(path: Path) -> None:
    """Take memory until there is none; the kernel clears it, so that it costs no CPU time."""
    held = []
    while True:
        held.append(bytes(16 << 20))


def hide(path: Path) -> None:
    """Call it damage where 150 MB of memory are not to be had, as some libraries do."""
    try:
        bytes(150 << 20)
    except MemoryError:
        raise UnreadablePhoto(SkipReason.TRUNCATED, f"{path} is damaged.") from None


def starve(path: Path) -> None:
    """Grow where the machine, not our own limit, has no more memory: here because data may not take more."""
    resource.setrlimit(resource.RLIMIT_DATA, (64 << 20, 64 << 20))
    grow(path)


def killed(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def stumble(path: Path) -> None:
    """Be killed twice, once by each signal that comes from outside."""
    tries = begun(path)
    if tries <= 2:
        os.kill(os.getpid(), (signal.SIGKILL, signal.SIGTERM)[tries - 1])


def recover(path: Path) -> None:
    """Crash the first time."""
    if begun(path) == 1:
        crash(path)


def begun(path: Path) -> int:
    """How often this photo was begun, this time included."""
    return (path.parent / "log").read_text().split("\n").count(f"begin {path.name}")


FAULTS: dict[str, Callable[[Path], None]] = {
    fault.__name__: fault
    for fault in (crash, leave, babble, spin, sleep, linger, grow, hide, starve, killed, stumble, recover)
}


def note(path: Path, event: str) -> None:
    with (path.parent / "log").open("a") as log:
        log.write(f"{event} {path.name}\n")


def open_faulty(path: Path, data: bytes, reserve: Reserve) -> OpenPhoto:
    def begin(needed: int) -> None:
        reserve(needed)
        note(path, "begin")
        if fault := FAULTS.get(path.stem.split("-")[0]):
            fault(path)

    if path.stem == "timeout":
        raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT), str(path))
    try:
        return open_photo(path, data, begin)
    finally:
        note(path, "end")


if __name__ == "__main__":
    serve(open_faulty)
