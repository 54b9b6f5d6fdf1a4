"""Ends a process when its parent ends, even when the parent is killed."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent, with the process id `parent`, ends (Linux only)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have ended before the prctl call.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
