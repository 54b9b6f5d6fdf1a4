"""Sends a signal when a stage starts, or the child is asked again, as FAULT says; once, if FAULT_ONCE names a file
that is not there yet."""

import os
import signal
from pathlib import Path


def strike(stage: str) -> None:
    """Called by a child at the start of each stage, and with `reconsider` when it is asked again."""
    at, _, rest = os.environ.get("FAULT", "").partition(":")
    who, _, number = rest.partition(":")
    if at != stage:
        return
    if once := os.environ.get("FAULT_ONCE"):
        try:
            Path(once).touch(exist_ok=False)
        except FileExistsError:
            return
    os.kill(os.getpid() if who == "child" else os.getppid(), signal.Signals[number])
