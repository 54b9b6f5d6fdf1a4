"""Reads the bytes of a photo's file."""

import stat
from pathlib import Path
from typing import Final

from worker.photos.unreadable import SkipReason, UnreadablePhoto

MAX_FILE_BYTES: Final = 256 * 1024 * 1024
"""Larger files are refused before they are read."""


def read_photo(path: Path) -> bytes:
    """Return the bytes of a photo's file.

    Raises:
        UnreadablePhoto: a fault of the file: it is empty, too large, not a regular file, or this user may not
            read it.
        OSError: a fault of the storage: the file is missing, is a directory or cannot be read.
    """
    try:
        return _read(path)
    except PermissionError:
        text = f"{path} may not be read; give the worker's user the right to read it."
        raise UnreadablePhoto(SkipReason.UNREADABLE, text) from None


def _read(path: Path) -> bytes:
    status = path.stat()
    # Opening a pipe or a device could block forever; for a directory, open() raises OSError.
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        text = f"{path} is no regular file; put a photo in its place."
        raise UnreadablePhoto(SkipReason.NOT_AN_IMAGE, text)
    if status.st_size > MAX_FILE_BYTES:
        raise too_large(path, f"{status.st_size} bytes, and {MAX_FILE_BYTES} is the limit")
    with path.open("rb") as file:
        data = file.read()
    if not data:
        raise UnreadablePhoto(SkipReason.EMPTY_FILE, f"{path} is empty; upload the photo again.")
    return data


def too_large(path: Path, size: str) -> UnreadablePhoto:
    """The error for a photo of too many bytes or pixels; `size` is the text about both numbers."""
    return UnreadablePhoto(SkipReason.TOO_LARGE, f"{path} is too large ({size}); upload a smaller copy.")
