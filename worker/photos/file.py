"""Reads the bytes of a photo's file."""

import errno
import hashlib
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Final

from worker.photos.unreadable import SkipReason, UnreadablePhoto

MAX_FILE_BYTES: Final = 256 * 1024 * 1024
"""Larger files are refused before they are read."""

_MAY_NOT: Final = (errno.EACCES, errno.EPERM)
_BROKEN: Final = (errno.EIO, errno.EBADMSG, errno.EUCLEAN)


def read_photo(path: Path) -> bytes:
    """Return the bytes of a photo's file.

    Raises:
        UnreadablePhoto: a fault of the file: it is empty, too large, not a regular file, may not be read, or lies
            where the disk is broken.
        OSError: a fault of the storage: the file is missing, is a directory or cannot be read.
    """
    with _opened(path) as file:
        return file.read()


def photo_sha256(path: Path) -> str:
    """Return the SHA-256 of the file's bytes, few of which are in memory at a time. Raises as `read_photo`."""
    with _opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    try:
        status = path.stat()
        # Opening a pipe or a device could block forever; for a directory, open() raises OSError.
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            text = f"{path} is no regular file; put a photo in its place."
            raise UnreadablePhoto(SkipReason.NOT_AN_IMAGE, text)
        if status.st_size > MAX_FILE_BYTES:
            raise too_large(path, f"{status.st_size} bytes, and {MAX_FILE_BYTES} is the limit")
        with path.open("rb") as file:
            if not file.peek(1):
                raise UnreadablePhoto(SkipReason.EMPTY_FILE, f"{path} is empty; upload the photo again.")
            yield file
    except OSError as error:
        if not is_of_one_file(error):
            raise
        what = "may not be read; give the worker's user the right to read it"
        if error.errno in _BROKEN:
            what = f"cannot be read ({error.strerror}); upload the photo again"
        raise UnreadablePhoto(SkipReason.UNREADABLE, f"{path} {what}.") from None


def is_of_one_file(error: OSError) -> bool:
    """Whether an error may concern a single file. Where many files have one, the storage is at fault."""
    return error.errno in (*_MAY_NOT, *_BROKEN)


def too_large(path: Path, size: str) -> UnreadablePhoto:
    """The error for a photo of too many bytes or pixels; `size` is the text about both numbers."""
    return UnreadablePhoto(SkipReason.TOO_LARGE, f"{path} is too large ({size}); upload a smaller copy.")
