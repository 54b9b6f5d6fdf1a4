"""Temporary arrays on the disk, which may be larger than memory."""

import copy
import os
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from worker.arrays import Indices


class Scratch:
    """Rows of one shape in an unnamed file, which is deleted with this object.

    Uses reads and writes at offsets, not a memory map: mapped pages count as the process's memory.
    """

    def __init__(self, rows: int, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self.shape = (rows, *shape)
        self._row_type = np.dtype((dtype, shape))
        self._file = tempfile.TemporaryFile(prefix="worker-scratch-")  # noqa: SIM115  # closed with this object
        self._rows: Indices = np.arange(rows)

    def __len__(self) -> int:
        return self.shape[0]

    def only(self, rows: Indices) -> "Scratch":
        """A view of some rows of the same file."""
        part = copy.copy(self)
        part.shape, part._rows = (len(rows), *self.shape[1:]), self._rows[rows]
        return part

    def write(self, row: int, values: npt.NDArray[Any]) -> None:
        """Write one row. Raises OSError when the disk is full."""
        data = memoryview(np.ascontiguousarray(values, self._row_type.base).tobytes())
        offset = int(self._rows[row]) * self._row_type.itemsize
        while data:
            written = os.pwrite(self._file.fileno(), data, offset)
            data, offset = data[written:], offset + written

    def read(self, rows: Sequence[int] | Indices) -> npt.NDArray[Any]:
        """Return the rows in the given order, `[len(rows), …]`."""
        found = np.empty((len(rows), *self.shape[1:]), self._row_type.base)
        for target, stored in zip(found, self._rows[rows], strict=True):
            os.preadv(
                self._file.fileno(), [memoryview(target).cast("B")], int(stored) * self._row_type.itemsize
            )
        return found

    def read_at(self, rows: Indices, columns: Indices) -> npt.NDArray[Any]:
        """Return `row[column]` for each pair of row and column, `[len(rows), …]`."""
        item = self._row_type.itemsize // self.shape[1]
        found = np.empty((len(rows), *self.shape[2:]), self._row_type.base)
        for target, stored, column in zip(found, self._rows[rows], columns, strict=True):
            start = int(stored) * self._row_type.itemsize + int(column) * item
            os.preadv(self._file.fileno(), [memoryview(target).cast("B")], start)
        return found
