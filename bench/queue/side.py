"""What the measures need of a job queue, whoever made it."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import psycopg

Connection = psycopg.Connection[Any]
# What a side's queries know a job by.
Job = Mapping[str, object]


@dataclass(frozen=True)
class Setup:
    """How a worker is configured, in words and for its process.

    `patience` is the seconds of silence after which its job goes to another worker, `cycle` the longest pause
    between two signs of its life or between two looks of an idle worker at others'.
    """

    words: str
    patience: float
    cycle: float
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Times:
    """What the database knows of a job, by its own clock; the claim is the latest one of `claims`."""

    inserted: datetime
    insert_committed: datetime | None
    claimed: datetime | None
    claim_committed: datetime | None
    claims: int
    done: bool


class Side(Protocol):
    """A queue under measure. Every job of a worker takes the seconds that it was started with."""

    @property
    def name(self) -> str: ...

    @property
    def packages(self) -> tuple[str, ...]: ...

    @property
    def usual(self) -> Setup: ...

    def install(self, database: str) -> None:
        """Lay the queue's tables down in an empty database."""

    def command(self, setup: Setup) -> list[str]:
        """What starts a worker."""

    def environment(self, setup: Setup, database: str, folder: Path, seconds: float) -> Mapping[str, str]:
        """With what it is started, besides our own environment; `folder` is its own."""

    def insert(self, connection: Connection) -> Job:
        """Insert a job in a transaction of its own."""

    def times(self, connection: Connection, job: Job) -> Times:
        """What became of it."""

    def given_up_at(self, connection: Connection, job: Job, setup: Setup) -> datetime:
        """When the job of a worker that says nothing any more may go to another one."""


def run(command: list[str], environment: Mapping[str, str]) -> None:
    """Run a command to its end. Raises CalledProcessError, whose output it prints."""
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout, done.stderr)
    done.check_returncode()
