"""What the processes of a test run share: the folders that one of them makes for all, and the tests themselves."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

# Their tests have no fixture in common, and most of them wait: each goes to the next process that is free.
APART = (
    "tests/faults/",
    "tests/integration/cli/",
    "tests/integration/daemon/",
    "tests/integration/test_main_job",
)
# What takes time is what they are about: one after the other.
TIMED = ("tests/faults/test_chaos", "tests/faults/test_network", "tests/faults/test_restarts")
# Whoever gets one of them last is waited for.
LONGEST = (
    "tests/integration/test_wheel",
    *TIMED,
    "tests/browser/",
    "tests/integration/test_main_job",
    "tests/faults/test_kills",
)


class Sharing(LoadScopeScheduling):  # type: ignore[misc]
    """A process gets a module at a time, for the sake of its fixtures, or a test where there is none to share."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(TIMED):
            return "timed"
        return nodeid if nodeid.startswith(APART) else nodeid.split("::")[0]


def folder_of_all(folders: pytest.TempPathFactory) -> Path:
    """The temporary folder of the whole run, in whichever of its processes."""
    own = folders.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def made_once(folder: Path, make: Callable[[Path], object]) -> Path:
    """Have the first process that asks fill the folder, and the others wait for it."""
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = folder.with_name(f"{folder.name}.unfinished")
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder
