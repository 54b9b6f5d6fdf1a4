"""A weights file of Keras is read as it was written, and another file is refused."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.support.weights_files import write_keras_file
from worker.backbone.keras_file import read_arrays

ARRAYS = {
    "Conv1/Conv1/kernel:0": np.arange(12, dtype=np.float32).reshape(1, 2, 3, 2),
    "bn_Conv1/bn_Conv1/gamma:0": np.arange(2, dtype=np.float32),
}


def test_arrays_are_read_by_their_paths(tmp_path: Path) -> None:
    arrays = read_arrays(write_keras_file(ARRAYS, tmp_path / "weights.h5"))
    assert arrays.keys() == ARRAYS.keys()
    assert all(np.array_equal(array, ARRAYS[name]) for name, array in arrays.items())


def test_a_file_without_arrays_has_none(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file.create_group("Conv1/Conv1")
    assert read_arrays(tmp_path / "weights.h5") == {}


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x89HDF\r\n\x1a\n" + bytes(100), b"\x80\x02."])
def test_another_kind_of_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "weights.h5").write_bytes(content)
    with pytest.raises(OSError):
        read_arrays(tmp_path / "weights.h5")


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    file = write_keras_file(ARRAYS, tmp_path / "weights.h5")
    content = file.read_bytes()
    for length in range(0, len(content) - 1, 97):
        file.write_bytes(content[:length])
        with pytest.raises(OSError):
            read_arrays(file)


def test_a_damaged_file_is_refused_or_read(tmp_path: Path) -> None:
    content = write_keras_file(ARRAYS, tmp_path / "weights.h5").read_bytes()
    random = np.random.default_rng(3)
    refused = 0
    for _ in range(500):
        changed = bytearray(content)
        for place in random.integers(len(content), size=8):
            changed[place] = int(random.integers(256))
        (tmp_path / "weights.h5").write_bytes(changed)
        try:
            read_arrays(tmp_path / "weights.h5")
        except (OSError, ValueError):
            refused += 1
    assert refused > 50


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "none.h5")
