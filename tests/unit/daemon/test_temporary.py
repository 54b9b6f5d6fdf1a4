"""A daemon's temporary folder goes with it, or with the next daemon, and never while it lives."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from worker.daemon.temporary import PREFIX, TemporaryFolder

KILLED = """
import os, signal
from worker.daemon.temporary import TemporaryFolder
path = TemporaryFolder().new()
(path / "left").touch()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What this process and those that it starts take for the temporary folder."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_a_child_has_a_folder_of_its_own_until_its_daemon_ends(folder: Path) -> None:
    temporary = TemporaryFolder()
    one, other = temporary.new(), temporary.new()
    assert one
    assert other
    assert one != other
    assert one.parent == other.parent
    assert one.parent.parent == folder
    temporary.remove()
    assert list(folder.iterdir()) == []


def test_what_a_killed_daemon_left_goes_at_the_next_start_and_what_a_living_one_has_stays(
    folder: Path,
) -> None:
    subprocess.run([sys.executable, "-c", KILLED], check=False)
    [dead] = folder.iterdir()
    assert dead.name.startswith(PREFIX)
    living = TemporaryFolder()
    assert not dead.exists()
    kept = living.new()
    (folder / f"{PREFIX}file").touch()
    TemporaryFolder().remove()
    assert kept
    assert kept.exists()
    assert (folder / f"{PREFIX}file").exists()
    living.remove()


def test_without_a_temporary_folder_a_child_has_none_of_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "gone"))
    temporary = TemporaryFolder()
    assert temporary.new() is None
    temporary.remove()
