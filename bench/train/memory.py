"""Measures the peak memory of a process and all its descendants."""

import contextlib
import threading
import time
from typing import Self

import psutil

SAMPLE_SECONDS = 0.1
# Sampling a process of 2 GB takes 30 ms of a core, which would slow the measured processes.
SHARE_OF_A_CORE = 0.05


class PeakMemory:
    """A context manager that samples memory; `peak` is in bytes and counts shared pages once."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._root = psutil.Process(pid)
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()

    def _sample(self) -> None:
        rest = SAMPLE_SECONDS
        while not self._left.wait(rest):
            started = time.thread_time()
            with contextlib.suppress(psutil.NoSuchProcess):
                processes = [self._root, *self._root.children(recursive=True)]
                self.peak = max(self.peak, sum(_memory(process) for process in processes))
            rest = max(SAMPLE_SECONDS, (time.thread_time() - started) / SHARE_OF_A_CORE)


def _memory(process: psutil.Process) -> int:
    """The process's proportional set size (PSS) in bytes; 0 if it has just ended."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0
