"""Arrays that may be larger than memory: on the disk, for as long as a job runs."""

import copy
import os
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


class Scratch:
    """Rows of one shape in a nameless file, which goes with this object.

    Read and written at places of the file, not mapped: mapped pages count as the process's memory.
    """

    def __init__(self, rows: int, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self.shape = (rows, *shape)
        self._row = np.dtype((dtype, shape))
        self._file = tempfile.TemporaryFile(prefix="worker-scratch-")  # noqa: SIM115  # closed with this object
        self._places: npt.NDArray[np.int64] = np.arange(rows)

    def __len__(self) -> int:
        return self.shape[0]

    def only(self, rows: npt.NDArray[np.int64]) -> "Scratch":
        """The same file with some of its rows."""
        part = copy.copy(self)
        part.shape, part._places = (len(rows), *self.shape[1:]), self._places[rows]
        return part

    def write(self, row: int, values: npt.NDArray[Any]) -> None:
        """Raises OSError when the disk is full."""
        data = memoryview(np.ascontiguousarray(values, self._row.base).tobytes())
        place = int(self._places[row]) * self._row.itemsize
        while data:
            written = os.pwrite(self._file.fileno(), data, place)
            data, place = data[written:], place + written

    def read(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """The rows in the order given, `[len(rows), …]`."""
        found = np.empty((len(rows), *self.shape[1:]), self._row.base)
        for target, place in zip(found, self._places[rows], strict=True):
            os.preadv(self._file.fileno(), [memoryview(target).cast("B")], int(place) * self._row.itemsize)
        return found

    def read_at(self, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Of each row one item of its first axis, `[len(rows), …]`."""
        item = self._row.itemsize // self.shape[1]
        found = np.empty((len(rows), *self.shape[2:]), self._row.base)
        for target, place, column in zip(found, self._places[rows], columns, strict=True):
            start = int(place) * self._row.itemsize + int(column) * item
            os.preadv(self._file.fileno(), [memoryview(target).cast("B")], start)
        return found

    def chunks(self, rows: npt.NDArray[np.int64], size: int) -> Iterator[npt.NDArray[Any]]:
        """`read(rows)` in parts of at most `size` rows."""
        for start in range(0, len(rows), size):
            yield self.read(rows[start : start + size])
