"""The memory that a process that decodes photos shares with its parent, in which it puts down what it has prepared."""

import mmap
import os
from collections.abc import Sequence
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from worker.photos.decode import SIDE

MOST_VIEWS: Final = 16
VIEW_BYTES: Final = SIDE * SIDE * 3
MOST_THUMBNAIL: Final = 1 << 16

_DIGITS: Final = 64
_VIEWS_AT: Final = 4096
_THUMBNAIL_AT: Final = _VIEWS_AT + MOST_VIEWS * VIEW_BYTES
_SIZE: Final = _THUMBNAIL_AT + MOST_THUMBNAIL


class Desk:
    """The content's SHA-256, once the file was read; then the views and the thumbnail."""

    def __init__(self, file: int) -> None:
        """`file` is the descriptor that the parent's desk has."""
        self.file = file
        self._memory = mmap.mmap(file, _SIZE)
        self._views = np.frombuffer(self._memory, np.uint8, MOST_VIEWS * VIEW_BYTES, _VIEWS_AT).reshape(
            MOST_VIEWS, SIDE, SIDE, 3
        )

    @classmethod
    def new(cls) -> Self:
        file = os.memfd_create("worker-photo")
        os.ftruncate(file, _SIZE)
        return cls(file)

    @property
    def sha256(self) -> str:
        """Empty until the file was read."""
        return self._memory[:_DIGITS].rstrip(b"\0").decode(errors="replace")

    @sha256.setter
    def sha256(self, digits: str) -> None:
        self._memory[:_DIGITS] = digits.encode().ljust(_DIGITS, b"\0")

    def put_down(self, views: Sequence[npt.NDArray[np.uint8]], thumbnail: bytes) -> None:
        for number, view in enumerate(views):
            self._views[number] = view
        self._memory[_THUMBNAIL_AT : _THUMBNAIL_AT + len(thumbnail)] = thumbnail

    def take_up(self, views: int, thumbnail: int) -> tuple[npt.NDArray[np.uint8], bytes]:
        """A copy of the first `views` views, and the thumbnail of so many bytes."""
        return self._views[:views].copy(), self._memory[_THUMBNAIL_AT : _THUMBNAIL_AT + thumbnail]

    def close(self) -> None:
        """For the parent; the views that were taken up stay."""
        del self._views
        self._memory.close()
        os.close(self.file)
