"""Waits for a condition, with a deadline that suits a busy machine."""

import contextlib
import os
import time
from collections.abc import Callable
from typing import TypeVar

import psutil

# So long that only a condition that never comes true reaches it.
DEADLINE = 200.0

Found = TypeVar("Found")


def wait_until(look: Callable[[], Found | None], what: str, seconds: float = DEADLINE) -> Found:
    """Poll `look` until its result is true, and return it; fail with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        late = time.monotonic() > deadline
        if found := look():
            return found
        assert not late, f"waited {seconds:g} s in vain: {what}"
        time.sleep(0.02)


def living(group: int) -> list[psutil.Process]:
    """The running processes of a process group, without zombies."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
