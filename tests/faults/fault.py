"""Sends a signal at the start of a stage, or at a Reconsider, as set in FAULT; only once if FAULT_ONCE names a file,
which the first time creates."""

import os
import signal
from pathlib import Path


def strike(stage: str) -> None:
    """Send the signal if FAULT names `stage`; a child calls this at each stage, and with `reconsider`."""
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
