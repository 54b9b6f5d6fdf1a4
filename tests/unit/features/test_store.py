"""What the store gives back is what was written, or nothing; and it never costs a job anything but time."""

import errno
import hashlib
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.waiting import DEADLINE
from worker.features.store import Arrays, FeatureStore, feature_key

ROOMY = 1 << 40
SPAWN = multiprocessing.get_context("spawn")


def key(number: int) -> str:
    return feature_key(f"{number:064x}", "whole", {"width": 224}, "f" * 64)


def features(number: int, length: int = 1280) -> Arrays:
    """Arrays that are those of `number` throughout, so that parts of two cannot pass for one."""
    return {"pooled": np.full(length, number, np.float32), "cells": np.full((7, length), number, np.float16)}


def number_of(arrays: Arrays) -> int:
    """Of which number these are the features; fails where they are not one number's."""
    [number] = {float(value) for array in arrays.values() for value in np.unique(array)}
    return int(number)


def file_of(folder: Path, key: str) -> Path:
    return folder / key[:2] / key


def age(file: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(file, (then, then))


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@contextmanager
def started(work: Callable[..., None], *arguments: Any) -> Iterator[SpawnProcess]:
    process = SPAWN.Process(target=work, args=arguments)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    """A store whose folder, `tmp_path / "features"`, is not there yet."""
    return FeatureStore(tmp_path / "features", ROOMY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "features"


def test_arrays_come_back_as_they_were_whatever_they_looked_like_in_memory(store: FeatureStore) -> None:
    grid = np.arange(24, dtype=np.float32).reshape(4, 6)
    arrays: Arrays = {
        "plain": grid,
        "strided": grid[:, ::2],
        "backwards": grid[::-1],
        "transposed": grid.T,
        "broadcast": np.broadcast_to(grid[0], (3, 6)),
        "half": grid.astype(np.float16)[1:, 1:],
        "big-endian": grid.astype(">f4"),
        "scalar": np.array(7, np.int64),
        "empty": np.zeros((0, 1280), np.float32),
        "not finite": np.array([np.nan, np.inf, -0.0], np.float16),
        "flags": grid > 7,
    }
    store.write(key(1), arrays)
    read = store.read(key(1))
    assert read is not None
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype.newbyteorder("=")
        assert read[name].shape == array.shape
        assert np.array_equal(read[name], array, equal_nan=array.dtype.kind == "f")
    read["plain"] += 1
    again = store.read(key(1))
    assert again is not None
    assert np.array_equal(again["plain"], grid)
    assert (store.hits, store.misses, store.damaged, store.fault) == (2, 0, 0, None)


def test_a_key_is_of_all_its_parts_and_not_of_the_recipes_order() -> None:
    recipe = {"width": 224, "filter": "bilinear", "crop": [1, 2]}
    parts: list[tuple[str, str, dict[str, object], str]] = [
        ("a", "b", {**recipe}, "c"),
        ("x", "b", {**recipe}, "c"),
        ("a", "x", {**recipe}, "c"),
        ("a", "b", {**recipe, "width": 225}, "c"),
        ("a", "b", {**recipe, "width": "224"}, "c"),
        ("a", "b", {}, "c"),
        ("a", "b", {**recipe}, "x"),
        ("ab", "", {**recipe}, "c"),
        ("", "ab", {**recipe}, "c"),
    ]
    keys = [feature_key(*part) for part in parts]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 64 and set(key) <= set("0123456789abcdef") for key in keys)
    assert feature_key("a", "b", dict(reversed(recipe.items())), "c") == keys[0]
    with pytest.raises(TypeError):
        feature_key("a", "b", {"side": object()}, "c")


def test_a_folder_that_is_not_there_holds_nothing_and_is_made_by_the_first_entry(
    store: FeatureStore, folder: Path
) -> None:
    assert store.read(key(1)) is None
    assert store.prune() == 0
    assert not folder.exists()
    store.write(key(1), features(1))
    assert files(folder) == [file_of(folder, key(1))]
    assert (store.hits, store.misses, store.damaged, store.fault) == (0, 1, 0, None)


def test_no_truncation_and_no_flipped_bit_goes_unnoticed(store: FeatureStore, folder: Path) -> None:
    store.write(key(1), {"pooled": np.arange(4, dtype=np.float16)})
    file = file_of(folder, key(1))
    whole = file.read_bytes()
    torn = [whole[:length] for length in range(len(whole))]
    torn += [whole[:length].ljust(len(whole), b"\0") for length in range(len(whole) - 8)]
    flipped = [
        whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :]
        for place in range(len(whole))
        for bit in range(8)
    ]
    damaged = [*torn, *flipped, whole + b"\0", whole + whole]
    for content in damaged:
        file.write_bytes(content)
        assert store.read(key(1)) is None
        assert not file.exists()
    assert (store.hits, store.misses, store.damaged) == (0, len(damaged), len(damaged))
    file.write_bytes(whole)
    assert store.read(key(1)) is not None


def test_a_whole_file_that_safetensors_cannot_read_is_damaged(store: FeatureStore, folder: Path) -> None:
    store.write(key(1), features(1))
    packed = b"something else"
    file_of(folder, key(1)).write_bytes(hashlib.blake2b(packed, digest_size=16).digest() + packed)
    assert store.read(key(1)) is None
    assert (store.misses, store.damaged) == (1, 1)


def test_a_directory_in_an_entrys_place_costs_that_entry_only(store: FeatureStore, folder: Path) -> None:
    file_of(folder, key(1)).mkdir(parents=True)
    store.write(key(1), features(1))
    assert isinstance(store.fault, IsADirectoryError)
    assert store.read(key(1)) is None
    assert files(folder) == []
    first = store.fault
    store.write(key(1), features(1))
    assert store.fault is first
    store.write(key(2), features(2))
    assert store.read(key(2)) is not None
    assert (store.prune(), store.damaged) == (0, 0)
    assert file_of(folder, key(1)).is_dir()


def test_the_folder_may_be_deleted_at_any_time(store: FeatureStore, folder: Path) -> None:
    store.write(key(1), features(1))
    shutil.rmtree(folder)
    assert store.read(key(1)) is None
    store.write(key(1), features(1))
    assert store.read(key(1)) is not None

    def work(thread: int) -> None:
        for number in range(100):
            store.write(key(number), features(number, 64))
            read = store.read(key(number))
            assert read is None or number_of(read) == number
            store.prune()

    with ThreadPoolExecutor(4) as threads:
        working = threads.map(work, range(4))
        for _ in range(100):
            shutil.rmtree(folder, ignore_errors=True)
            time.sleep(0.005)
        assert list(working) == [None] * 4
    # A deletion may win against a write and against its second attempt, but it ends no writing.
    assert store.fault is None or isinstance(store.fault, FileNotFoundError | FileExistsError)
    store.write(key(1), features(1))
    assert store.read(key(1)) is not None
    assert store.damaged == 0


def test_a_store_that_cannot_be_written_is_an_empty_one_and_says_why(tmp_path: Path) -> None:
    below_a_file = tmp_path / "file" / "features"
    below_a_file.parent.write_text("not a folder")
    store = FeatureStore(below_a_file, ROOMY)
    store.write(key(1), features(1))
    first = store.fault
    assert isinstance(first, NotADirectoryError)
    assert store.read(key(1)) is None
    assert store.prune() == 0
    below_a_file.parent.unlink()
    store.write(key(1), features(1))
    assert store.fault is first
    assert not below_a_file.exists(), "it stopped trying"
    assert (store.hits, store.misses, store.damaged) == (0, 1, 0)


def write_more_than_a_file_may_hold(folder: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    store = FeatureStore(folder, ROOMY)
    for number, length in ((1, 500), (2, 1500), (3, 500)):
        store.write(key(number), features(number, length))
    # Coverage writes more than that when the process ends.
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert store.fault is not None
    assert store.fault.errno == errno.EFBIG
    assert store.read(key(1)) is not None
    assert [store.read(key(number)) for number in (2, 3)] == [None, None]


def test_what_was_cut_short_while_it_was_written_never_becomes_an_entry(folder: Path) -> None:
    with started(write_more_than_a_file_may_hold, folder) as process:
        process.join()
        assert process.exitcode == 0
    assert files(folder) == [file_of(folder, key(1))]


def on_a_disk_of_its_own(work: Callable[[Path], None], folder: Path) -> None:
    """Call `work` in a process for which `folder` is a file system of 1 MB that it may do with as it likes."""
    folder.mkdir()
    own = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = 'mount -t tmpfs -o size=1m tmpfs "$0"'
    if (
        not shutil.which("unshare")
        or subprocess.run([*own, mount, str(folder)], capture_output=True).returncode
    ):
        pytest.skip("this machine lets nobody mount a file system of their own")
    call = f"import pathlib, sys, {__name__} as tests; tests.{work.__name__}(pathlib.Path(sys.argv[1]))"
    command = [*own, f'{mount} && exec "$1" -c "$2" "$0"', str(folder), sys.executable, call]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=DEADLINE
    )
    assert done.returncode == 0, done.stderr


def fill_the_disk(folder: Path) -> None:
    store = FeatureStore(folder, ROOMY)
    for number in range(100):
        store.write(key(number), features(number))
    assert store.fault is not None
    assert store.fault.errno == errno.ENOSPC
    held = [number for number in range(100) if store.read(key(number))]
    assert held == list(range(len(held)))
    assert 20 < len(held) < 60
    assert len(files(folder)) == len(held)
    assert FeatureStore(folder, 500_000).prune() > 0
    store.write(key(99), features(99))
    assert store.read(key(99)) is None
    another = FeatureStore(folder, ROOMY)
    another.write(key(99), features(99))
    assert (another.read(key(99)) is not None, another.fault, store.damaged) == (True, None, 0)


def test_a_full_disk_keeps_what_it_has_and_takes_no_more(folder: Path) -> None:
    on_a_disk_of_its_own(fill_the_disk, folder)


def use_a_read_only_disk(folder: Path) -> None:
    store = FeatureStore(folder, 1)
    for number in (1, 2):
        store.write(key(number), features(number))
    age(file_of(folder, key(1)), 7200)
    with file_of(folder, key(2)).open("r+b") as file:
        file.write(b"torn")
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    read = store.read(key(1))
    assert read is not None
    assert number_of(read) == 1
    assert [store.read(key(2)), store.read(key(2))] == [None, None]
    store.write(key(3), features(3))
    assert store.fault is not None
    assert store.fault.errno == errno.EROFS
    assert store.prune() == 0
    assert (store.hits, store.misses, store.damaged) == (1, 2, 2)


def test_a_read_only_disk_still_gives_what_it_holds(folder: Path) -> None:
    on_a_disk_of_its_own(use_a_read_only_disk, folder)


def write_them_all(folder: Path, writer: int, start: Barrier) -> None:
    store = FeatureStore(folder, ROOMY)
    start.wait()
    for _ in range(5):
        for number in range(40):
            store.write(key(number), features(writer))
    assert store.fault is None


def test_processes_that_write_the_same_keys_at_once_leave_each_whole(
    store: FeatureStore, folder: Path
) -> None:
    start = SPAWN.Barrier(3)
    with started(write_them_all, folder, 1, start) as one, started(write_them_all, folder, 2, start) as other:
        start.wait()
        while one.is_alive() or other.is_alive():
            for number in range(40):
                read = store.read(key(number))
                assert read is None or number_of(read) in (1, 2)
        assert (one.exitcode, other.exitcode) == (0, 0)
    assert store.damaged == 0
    assert files(folder) == sorted(file_of(folder, key(number)) for number in range(40))
    assert all(store.read(key(number)) for number in range(40))


def write_for_ever(folder: Path) -> None:
    store = FeatureStore(folder, ROOMY)

    def write(thread: int) -> None:
        for turn in range(1_000_000):
            number = (turn + 5 * thread) % 20
            store.write(key(number), features(number, 20_000))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))


def test_a_writer_killed_at_any_moment_leaves_whole_entries_or_none(
    store: FeatureStore, folder: Path
) -> None:
    turn = 0
    while turn < 2 or not (left := [file for file in files(folder) if file.suffix == ".tmp"]):
        assert turn < 100, "no kill struck in mid-write"
        turn += 1
        before = set(files(folder))
        with started(write_for_ever, folder) as writer:
            while set(files(folder)) <= before:
                assert writer.is_alive()
            time.sleep(random.uniform(0, 0.05))
            writer.kill()
            writer.join()
            assert writer.exitcode == -signal.SIGKILL
        for number in range(20):
            read = store.read(key(number))
            assert read is None or number_of(read) == number
    assert store.hits > 0
    assert store.prune() == 0, "another process may be writing them"
    torn = sum(file.stat().st_size for file in left)
    for file in left:
        age(file, 3660)
    assert store.prune() == torn
    assert store.damaged == 0
    entries = [file_of(folder, key(number)) for number in range(20)]
    assert files(folder) == sorted(entry for entry in entries if entry.exists())


def test_pruning_keeps_what_was_read_last(store: FeatureStore, folder: Path) -> None:
    for number in range(20):
        store.write(key(number), features(number))
        age(file_of(folder, key(number)), 86400 - number)
    size = file_of(folder, key(0)).stat().st_size
    assert all(store.read(key(number)) for number in (3, 1))
    assert FeatureStore(folder, 100 * size).prune() == 0
    assert FeatureStore(folder, 10 * size).prune() == 12 * size
    assert [number for number in range(20) if store.read(key(number))] == [1, 3, *range(14, 20)]
    assert FeatureStore(folder, 10 * size).prune() == 0
    assert FeatureStore(folder, 0).prune() == 8 * size
    assert files(folder) == []


def test_a_read_marks_an_entry_as_used_once_an_hour(store: FeatureStore, folder: Path) -> None:
    store.write(key(1), features(1))
    file = file_of(folder, key(1))
    for seconds, marked in ((1800, False), (3660, True), (-3660, True)):
        age(file, seconds)
        before = file.stat().st_mtime_ns
        assert store.read(key(1)) is not None
        assert (file.stat().st_mtime_ns != before) == marked
    assert abs(file.stat().st_mtime - time.time()) < 600


def test_pruning_removes_nothing_but_the_stores_own_files(store: FeatureStore, folder: Path) -> None:
    store.write(key(1), features(1))
    entry = file_of(folder, key(1))
    abandoned = entry.with_name(f"{entry.name}.{'0' * 16}.tmp")
    young = entry.with_name(f"{entry.name}.{'1' * 16}.tmp")
    elsewhere = key(2)
    kept = [
        folder / "photo.jpg",
        folder / elsewhere,
        folder / "photos" / elsewhere,
        entry.parent / "photo.jpg",
        entry.parent / "notes.tmp",
        entry.parent / f"{elsewhere}.jpg",
        entry.parent / f"{'0' if entry.name[0] != '0' else '1'}{entry.name[1:]}",
        folder / "photos" / entry.name[:2] / "photo.tmp",
        young,
    ]
    for file in (*kept, abandoned):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"12345")
        age(file, 10**6)
    age(young, 3500)
    size = entry.stat().st_size
    assert FeatureStore(folder, 0).prune() == size + 5
    assert files(folder) == sorted(kept)


def prune_it(folder: Path, limit_bytes: int, start: Barrier, removed: Path) -> None:
    start.wait()
    removed.write_text(str(FeatureStore(folder, limit_bytes).prune()))


def test_two_pruners_at_once_remove_what_one_would_while_others_read(
    store: FeatureStore, folder: Path, tmp_path: Path
) -> None:
    for number in range(400):
        store.write(key(number), features(number, 64))
        age(file_of(folder, key(number)), 3000 - number)
    size = file_of(folder, key(0)).stat().st_size
    removed = [tmp_path / "one", tmp_path / "other"]
    start = SPAWN.Barrier(3)
    with (
        started(prune_it, folder, 200 * size, start, removed[0]) as one,
        started(prune_it, folder, 200 * size, start, removed[1]) as other,
    ):
        start.wait()
        while one.is_alive() or other.is_alive():
            for number in range(0, 400, 7):
                read = store.read(key(number))
                assert number_of(read) == number if read else number < 221
        assert (one.exitcode, other.exitcode) == (0, 0)
    assert store.damaged == 0
    assert files(folder) == sorted(file_of(folder, key(number)) for number in range(221, 400))
    assert sum(json.loads(file.read_text()) for file in removed) == 221 * size


def test_no_read_of_any_thread_is_lost_from_the_counts(store: FeatureStore, folder: Path) -> None:
    for number in range(0, 100, 2):
        store.write(key(number), features(number, 8))
    start = threading.Barrier(8)

    def read_all(thread: int) -> None:
        start.wait()
        for number in range(100):
            read = store.read(key(number))
            assert (read is None) == bool(number % 2)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(read_all, range(8))) == [None] * 8
    assert (store.hits, store.misses, store.damaged) == (400, 400, 0)
