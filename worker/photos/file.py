"""The bytes of a photo's file."""

import stat
from pathlib import Path
from typing import Final

from worker.photos.unreadable import SkipReason, UnreadablePhoto

MAX_FILE_BYTES: Final = 256 * 1024 * 1024
"""Files of more bytes than this are refused before they are read."""


def read_photo(path: Path) -> bytes:
    """The bytes of a photo's file.

    Raises:
        UnreadablePhoto: the file is empty or too large, or no regular file; the file is to blame.
        OSError: the file is missing, is a directory or cannot be read; the storage is to blame.
    """
    status = path.stat()
    # Opening a pipe or a device could wait forever; a directory is left to open(), which raises OSError.
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
    """The error to raise for a photo of too many bytes or pixels; `size` says how many."""
    return UnreadablePhoto(SkipReason.TOO_LARGE, f"{path} is too large ({size}); upload a smaller copy.")
