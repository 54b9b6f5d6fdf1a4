"""Reads a weights file of Keras (HDF5)."""

from pathlib import Path

import h5py

from worker.backbone.architecture import Arrays


def read_arrays(path: Path) -> Arrays:
    """All arrays by their path in the file, such as `Conv1/Conv1/kernel:0`.

    Raises OSError for another kind of file, ValueError for a damaged one.
    """
    found: Arrays = {}

    def keep(name: str, node: object) -> None:
        if isinstance(node, h5py.Dataset):
            found[name] = node[()]

    try:
        with h5py.File(path, "r") as file:
            file.visititems(keep)
    except (RuntimeError, LookupError, TypeError, MemoryError) as error:
        raise ValueError(f"it is damaged: {error}") from error
    return found
