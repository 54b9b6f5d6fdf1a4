"""Runs a module of the bench in a process of its own; measures its time and memory, and reads its answer."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psutil

from bench.train.memory import PeakMemory

LAST_LINES = 15


class Failed(Exception):
    """A side of the bench failed; the message has the last lines of its output."""


@dataclass(frozen=True)
class ScriptRun:
    """`seconds` are from the start of the process to its answer, a line of JSON; `peak_memory` is in bytes."""

    seconds: float
    peak_memory: int
    answer: dict[str, Any]


def run_script(module: str, *arguments: object, environment: Mapping[str, str] | None = None) -> ScriptRun:
    """Run `python -m module arguments`, with `environment` added to this process's. Raises Failed."""
    answer: dict[str, Any] | None = None
    started, seconds = time.monotonic(), 0.0
    with tempfile.TemporaryFile("w+") as errors:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | dict(environment or {}),
        )
        assert process.stdout
        try:
            with PeakMemory(process.pid) as memory:
                for line in process.stdout:
                    if line.startswith("{"):
                        seconds, answer = time.monotonic() - started, json.loads(line)
                status = process.wait()
        finally:
            process.kill()
            process.wait()
        if status or answer is None:
            errors.seek(0)
            raise Failed(f"{' '.join(command)} ended with exit status {status}.\n{last_lines(errors.read())}")
    return ScriptRun(seconds, memory.peak, answer)


def seconds_since_start() -> float:
    """Seconds since this process was started, for scripts that measure after what is timed."""
    return time.time() - psutil.Process().create_time()


def last_lines(text: str) -> str:
    """The end of a log, for an error message."""
    return "\n".join(text.splitlines()[-LAST_LINES:])
