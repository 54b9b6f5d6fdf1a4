"""A photo that crashes, stops or blows up its decoder costs itself, and no other photo or job."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from tests.support.photo_bytes import encoded
from tests.support.waiting import DEADLINE, wait_until
from worker.errors import ErrorCode, JobError
from worker.photos import decoder_process
from worker.photos.augmentation import make_view, view_names
from worker.photos.decode import open_photo
from worker.photos.decoders import Decoders
from worker.photos.decoding_limits import DecodingLimits
from worker.photos.facts import photo_facts
from worker.photos.thumbnails import thumbnail
from worker.photos.unreadable import FailedDecoding, SkipReason, UnreadablePhoto

LIMITS = DecodingLimits(2, memory=160 << 20, cpu_seconds=0.5, idle_seconds=0.5)
SKIPPED = {
    "crash": SkipReason.DECODER_CRASHED,
    "leave": SkipReason.DECODER_CRASHED,
    "babble": SkipReason.DECODER_CRASHED,
    "spin": SkipReason.TOO_SLOW,
    "sleep": SkipReason.TOO_SLOW,
    "grow": SkipReason.TOO_LARGE,
}
SHA256 = "5" * 64
PHOTO = encoded(
    Image.fromarray(np.arange(60 * 80 * 3, dtype=np.uint32).astype(np.uint8).reshape(60, 80, 3)), "PNG"
)


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Decoders]:
    """Processes whose decoders fail as the photos' names say."""
    monkeypatch.setattr(decoder_process, "MODULE", "tests.support.faulty_decoder")
    with Decoders(LIMITS) as decoders:
        yield decoders


def photo(folder: Path, name: str) -> Path:
    path = folder / f"{name}.png"
    path.write_bytes(PHOTO)
    return path


def notes(folder: Path) -> list[str]:
    return (folder / "log").read_text().splitlines()


def skipped(decoders: Decoders, path: Path) -> SkipReason | None:
    try:
        decoders.prepare(path, views=["whole"])
    except FailedDecoding as failed:
        assert str(path) in str(failed)
        return failed.reason
    return None


def test_a_process_gives_what_this_one_would(decoders: Decoders, tmp_path: Path) -> None:
    path, names = photo(tmp_path, "photo"), view_names(3)
    prepared = decoders.prepare(path, SHA256, names, facts=True, thumbnail=True)
    opened = open_photo(path, PHOTO)
    assert np.array_equal(prepared.views, np.stack([make_view(opened, SHA256, name) for name in names]))
    assert (prepared.facts, prepared.thumbnail) == (photo_facts(opened), thumbnail(opened))
    nothing = decoders.prepare(path)
    assert (nothing.facts, nothing.thumbnail, len(nothing.views)) == (None, b"", 0)
    assert nothing.sha256 == prepared.sha256


def test_bad_photos_are_skipped_by_name_and_good_ones_beside_them_are_unharmed(
    faulty: Decoders, tmp_path: Path
) -> None:
    good = [photo(tmp_path, f"good-{number}") for number in range(18)]
    bad = [photo(tmp_path, fault) for fault in SKIPPED]
    paths = [path for few in zip(*[iter(good)] * 3, strict=True) for path in (*few, bad.pop())]
    with ThreadPoolExecutor(4) as threads:
        found = dict(zip(paths, threads.map(lambda path: skipped(faulty, path), paths), strict=True))
    assert {path.stem: reason for path, reason in found.items() if reason} == SKIPPED
    begun = Counter(line for line in notes(tmp_path) if line.startswith("begin"))
    assert begun == {f"begin {path.name}": 2 if found[path] else 1 for path in paths}
    assert_second_tries_are_alone(notes(tmp_path), {path.name for path in paths if found[path]})


def assert_second_tries_are_alone(log: list[str], failing: set[str]) -> None:
    """No good photo was in decoding when a failing one began for the second time."""
    running: set[str] = set()
    seen = Counter[str]()
    for line in log:
        event, name = line.split()
        seen[line] += 1
        if event == "begin" and name in failing:
            assert seen[line] == 1 or not running, log
        elif event == "begin":
            running.add(name)
        else:
            running.discard(name)


def test_a_second_try_waits_until_nothing_else_is_in_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder_process, "MODULE", "tests.support.faulty_decoder")
    with Decoders(replace(LIMITS, idle_seconds=DEADLINE)) as decoders, ThreadPoolExecutor(2) as threads:
        lingering = threads.submit(skipped, decoders, photo(tmp_path, "linger"))
        wait_until(lambda: (tmp_path / "log").exists(), "the other photo to begin")
        failing = threads.submit(skipped, decoders, photo(tmp_path, "crash"))
        wait_until(lambda: "begin crash.png" in notes(tmp_path), "the first try")
        wait_until(lambda: failing.done() or decoders._memory._waiting, "the second try")
        (tmp_path / "go").touch()
        assert (lingering.result(), failing.result()) == (None, SkipReason.DECODER_CRASHED)
    assert notes(tmp_path) == ["begin linger.png", "begin crash.png", "end linger.png", "begin crash.png"]


def test_a_photo_that_fails_once_is_a_photo(faulty: Decoders, tmp_path: Path) -> None:
    assert skipped(faulty, photo(tmp_path, "recover")) is None


def test_what_is_killed_from_outside_is_tried_again_and_blames_no_photo(
    faulty: Decoders, tmp_path: Path
) -> None:
    assert skipped(faulty, photo(tmp_path, "stumble")) is None
    for name in ("killed", "starve"):
        with pytest.raises(JobError) as raised:
            faulty.prepare(photo(tmp_path, name))
        assert raised.value.code is ErrorCode.OUT_OF_MEMORY
        assert f"{name}.png" in raised.value.message
    assert skipped(faulty, photo(tmp_path, "good")) is None


def test_processes_killed_between_two_photos_are_replaced(faulty: Decoders, tmp_path: Path) -> None:
    path = photo(tmp_path, "good")
    faulty.prepare(path)
    [process] = decoding_processes(os.getpid())
    process.kill()
    process.wait()
    assert skipped(faulty, path) is None


def test_memory_that_is_at_its_end_is_not_damage(faulty: Decoders, tmp_path: Path) -> None:
    assert skipped(faulty, photo(tmp_path, "hide")) is None
    assert notes(tmp_path).count("begin hide.png") == 2


def test_faults_of_the_storage_are_not_the_photos(
    decoders: Decoders, faulty: Decoders, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        decoders.prepare(tmp_path / "gone")
    with pytest.raises(IsADirectoryError):
        decoders.prepare(tmp_path)
    with pytest.raises(TimeoutError):
        faulty.prepare(photo(tmp_path, "timeout"))
    (tmp_path / "empty").touch()
    with pytest.raises(UnreadablePhoto) as raised:
        decoders.prepare(tmp_path / "empty")
    assert raised.value.reason is SkipReason.EMPTY_FILE


def test_a_module_that_cannot_start_blames_no_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_process, "MODULE", "tests.support.not_there")
    with Decoders(LIMITS) as decoders, pytest.raises(JobError) as raised:
        decoders.prepare(photo(tmp_path, "good"))
    assert raised.value.code is ErrorCode.CHILD_DIED


def decoding_processes(parent: int) -> list[psutil.Process]:
    return [
        process
        for process in psutil.Process(parent).children()
        if "tests.support.faulty_decoder" in process.cmdline()
    ]


PARENT = """
import sys
from pathlib import Path
from worker.photos import decoder_process
from worker.photos.decoders import Decoders
from worker.photos.decoding_limits import DecodingLimits
decoder_process.MODULE = "tests.support.faulty_decoder"
with Decoders(DecodingLimits(1)) as decoders:
    decoders.prepare(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("fault", ["spin", "sleep"])
def test_a_process_dies_with_its_parent_whatever_its_decoder_does(fault: str, tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, photo(tmp_path, fault)])
    try:
        wait_until(lambda: (tmp_path / "log").exists(), "the photo to begin")
        [process] = decoding_processes(parent.pid)
        assert process.is_running()
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    wait_until(lambda: not process.is_running(), "the end of the process")


def test_no_process_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(decoder_process, "MODULE", "tests.support.faulty_decoder")
    with Decoders(LIMITS) as decoders:
        decoders.prepare(photo(tmp_path, "good"))
        [process] = decoding_processes(os.getpid())
        with suppress(FileNotFoundError):
            decoders.prepare(tmp_path / "gone")
    assert not process.is_running()


def test_a_process_holds_none_of_what_trains(tmp_path: Path) -> None:
    code = "import sys, worker.photos.decoder; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"tensorflow", "scipy", "matplotlib", "pydantic", "psycopg"} & set(loaded.split())
