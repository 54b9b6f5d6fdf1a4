"""Runs the real daemon in its own process, as an operator would, with its log in a file."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STOP_SECONDS = 30


def migrate(environment: dict[str, str]) -> None:
    """Run `worker migrate`. Raises CalledProcessError."""
    subprocess.run([*_worker(), "migrate"], env=os.environ | environment, check=True, capture_output=True)


@contextmanager
def worker(environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `worker run`; on leaving, end it with SIGTERM."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*_worker(), "run"], env=os.environ | environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            finally:
                process.kill()


def read_log(log: Path) -> list[dict[str, Any]]:
    """Return the events in a log of JSON lines."""
    lines = log.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def _worker() -> list[str]:
    return [sys.executable, "-m", "worker"]
