"""The interface of a job queue for the measures."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import psycopg

Connection = psycopg.Connection[Any]
# The parameters that identify a job in a side's queries.
Job = Mapping[str, object]


@dataclass(frozen=True)
class Setup:
    """A worker's configuration, in words and as environment variables.

    `patience`: seconds of silence after which another worker gets its job; `cycle`: the longest pause between two
    heartbeats, or between two checks of an idle worker for stale jobs.
    """

    words: str
    patience: float
    cycle: float
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Times:
    """A job's times by the database's clock; `claimed` is of the latest one of `claims`."""

    inserted: datetime
    insert_committed: datetime | None
    claimed: datetime | None
    claim_committed: datetime | None
    claims: int
    done: bool


class Side(Protocol):
    """A queue under measurement. Every job of a worker takes the `seconds` in its environment."""

    @property
    def name(self) -> str: ...

    @property
    def packages(self) -> tuple[str, ...]: ...

    @property
    def usual(self) -> Setup: ...

    def install(self, database: str) -> None:
        """Create the queue's tables in an empty database."""

    def fill(self, connection: Connection, finished: int, future: int) -> None:
        """Insert this number of jobs that have ended, and of jobs that are not due for a long time."""

    def command(self, setup: Setup) -> list[str]:
        """The command that starts a worker."""

    def environment(self, setup: Setup, database: str, folder: Path, seconds: float) -> Mapping[str, str]:
        """A worker's environment variables, in addition to our own; `folder` is only for this worker."""

    def insert(self, connection: Connection) -> Job:
        """Insert a job in a transaction of its own."""

    def times(self, connection: Connection, job: Job) -> Times:
        """The job's times and state."""

    def given_up_at(self, connection: Connection, job: Job, setup: Setup) -> datetime:
        """The time from which another worker may claim the job of a silent worker."""


def run(command: list[str], environment: Mapping[str, str]) -> None:
    """Run a command to its end. On an error, print its output and raise CalledProcessError."""
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout, done.stderr)
    done.check_returncode()
