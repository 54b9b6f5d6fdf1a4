"""Shares folders and distributes tests between the processes of a test run."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

# Tests without common fixtures, most of which wait: each runs in the next free process.
APART = (
    "tests/faults/",
    "tests/integration/cli/",
    "tests/integration/daemon/",
    "tests/integration/test_main_job",
)
# Tests that measure time: they run one after another.
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
    """Gives a process one module at a time, because of its fixtures, or one test where there are none to share."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(TIMED):
            return "timed"
        return nodeid if nodeid.startswith(APART) else nodeid.split("::")[0]


def folder_of_all(folders: pytest.TempPathFactory) -> Path:
    """The temporary folder of the whole run, the same in each process."""
    own = folders.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def made_once(folder: Path, make: Callable[[Path], object]) -> Path:
    """Return `folder`; the first process that calls fills it with `make`, the others wait for that."""
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = folder.with_name(f"{folder.name}.unfinished")
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder
