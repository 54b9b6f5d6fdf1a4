"""Runs one training job with the real daemon, and measures its time, as a backend sees it, and its memory."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.train.memory import PeakMemory
from bench.train.script import Failed, last_lines
from bench.train.shop import Shop
from demo.worker_process import read_log, worker

READY_EVENT = "backbone_ready"
"""The log event after which the daemon has nothing left to prepare."""

OPTIONS: Mapping[str, Mapping[str, object]] = {
    "quick": {"profile": "quick"},
    "standard": {"profile": "standard"},
}
"""The "Options" of a job for each profile."""

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class JobRun:
    """`seconds` are from insert to completion by the database's clock; `peak_memory` is in bytes.

    `reported` is the accuracy that the worker reports, `model` the folder of the model's files.
    """

    seconds: float
    peak_memory: int
    stages: dict[str, float]
    reported: dict[str, Any]
    model: Path


def run_job(shop: Shop, profile: str) -> JobRun:
    """Start a daemon, wait until it is ready, insert a job and wait for its end. Raises Failed."""
    log = shop.folder / f"log-{time.monotonic_ns()}"
    with _ready_worker(shop, log) as pid, PeakMemory(pid) as memory:
        job = shop.insert_job(OPTIONS[profile])
        while (row := shop.read_job(job))["status"] in ("Pending", "Running"):
            time.sleep(POLL_SECONDS)
        if row["status"] != "Completed":
            raise Failed(f"The job is {row['status']}: {row['error_code']}: {row['error_message']}")
    events = [event for event in read_log(log) if event.get("job_id") == str(job)]
    return JobRun(
        seconds=row["total"],
        peak_memory=memory.peak,
        stages={event["stage"]: event["seconds"] for event in events if event["event"] == "stage_finished"},
        reported=next(event["accuracy"] for event in events if event["event"] == "job_completed"),
        model=shop.models / row["version"],
    )


@contextmanager
def _ready_worker(shop: Shop, log: Path) -> Iterator[int]:
    with worker(shop.environment, log) as process:
        while not any(event["event"] == READY_EVENT for event in read_log(log)):
            if process.poll() is not None:
                raise Failed(f"The worker ended before it was ready.\n{last_lines(log.read_text())}")
            time.sleep(POLL_SECONDS)
        yield process.pid
