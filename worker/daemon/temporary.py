"""The temporary files of training children: gone when the child ends, those of a killed daemon at the next start.

A daemon has one folder in TMPDIR and holds a lock on it, which the kernel releases when the daemon dies, however it
dies. Process ids would prove nothing: in a container each worker has the same one.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

PREFIX: Final = "training-worker-"


class TemporaryFolder:
    """A folder of this daemon's own, with one below it for each child. Its making removes those of dead daemons."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._lock: int | None = None
        # Where no folder can be made, children use TMPDIR itself, and say what is wrong with it.
        with contextlib.suppress(OSError):
            _remove_dead(Path(tempfile.gettempdir()))
            while self._lock is None:
                self._path = Path(tempfile.mkdtemp(prefix=PREFIX))
                # None where another daemon took the folder for a dead one's, and removed it.
                self._lock = _lock(self._path)

    def new(self) -> Path | None:
        """An empty folder for a child; `None` where none can be made."""
        with contextlib.suppress(OSError):
            return Path(tempfile.mkdtemp(dir=self._path)) if self._path else None
        return None

    def remove(self) -> None:
        """Remove the folder with all that is in it, and release the lock."""
        if self._path:
            shutil.rmtree(self._path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
        self._path = self._lock = None


def _lock(path: Path) -> int | None:
    """The descriptor that holds the folder's lock; `None` where somebody else holds it, or has removed the folder.

    Raises OSError where the folder cannot be locked.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.lstat()):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _remove_dead(folder: Path) -> None:
    for path in folder.glob(f"{PREFIX}*"):
        # Those of other users stay.
        with contextlib.suppress(OSError):
            if (lock := _lock(path)) is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(lock)
