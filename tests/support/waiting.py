"""Waiting for what must come, however busy the machine is."""

import contextlib
import os
import time
from collections.abc import Callable
from typing import TypeVar

import psutil

# Only what never comes takes so long.
DEADLINE = 200.0

Found = TypeVar("Found")


def wait_until(look: Callable[[], Found | None], what: str, seconds: float = DEADLINE) -> Found:
    """What `look` gives as soon as it is true; fails with `what` where it stays false."""
    deadline = time.monotonic() + seconds
    while True:
        late = time.monotonic() > deadline
        if found := look():
            return found
        assert not late, f"waited {seconds:g} s in vain: {what}"
        time.sleep(0.02)


def living(group: int) -> list[psutil.Process]:
    """The processes of a group that run; those that wait to be reaped do not."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
