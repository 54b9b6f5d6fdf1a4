"""Scratch files give back what was written into them, in any order."""

import numpy as np
import pytest

from worker.features.scratch import Scratch


def test_scratch_keeps_rows_and_gives_them_in_any_order() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(20, 3, 4, 5)).astype(np.float16)
    scratch = Scratch(20, (3, 4, 5), np.float16)
    for row in random.permutation(20):
        scratch.write(int(row), rows[row])
    assert (len(scratch), scratch.shape) == (20, (20, 3, 4, 5))
    order = np.array([7, 0, 19, 7])
    assert np.array_equal(scratch.read(order), rows[order])
    assert np.array_equal(scratch.read([3]), rows[3:4])
    columns = np.array([2, 0, 1, 1])
    assert np.array_equal(scratch.read_at(order, columns), rows[order, columns])
    assert scratch.read(np.zeros(0, np.int64)).shape == (0, 3, 4, 5)


def test_scratch_converts_what_is_written_and_replaces_it() -> None:
    scratch = Scratch(2, (2, 3), np.float16)
    wide = np.arange(12, dtype=np.float64).reshape(4, 3)
    scratch.write(0, wide[:2])
    scratch.write(1, wide[::2])
    assert np.array_equal(scratch.read([0, 1]), np.stack([wide[:2], wide[::2]]))
    scratch.write(0, wide[2:])
    assert np.array_equal(scratch.read([0, 1]), np.stack([wide[2:], wide[::2]]))
    with pytest.raises(IndexError):
        scratch.write(2, wide[:2])
    with pytest.raises(IndexError):
        scratch.read([2])


def test_some_rows_of_scratch_are_the_same_file_and_stay_when_the_whole_is_gone() -> None:
    scratch = Scratch(6, (2, 1), np.float32)
    for row in range(6):
        scratch.write(row, np.array([[row], [-row]]))
    part = scratch.only(np.array([5, 1, 3]))
    assert (len(part), part.shape) == (3, (3, 2, 1))
    assert part.read([0, 1, 2])[:, 0, 0].tolist() == [5, 1, 3]
    less = part.only(np.array([2, 0]))
    assert less.read_at(np.array([0, 1]), np.array([1, 0])).tolist() == [[-3], [5]]
    less.write(0, np.array([[30], [31]]))
    assert scratch.read([3])[0].tolist() == [[30], [31]]
    assert len(scratch) == 6
    del scratch, part
    assert less.read([1])[0].tolist() == [[5], [-5]]
