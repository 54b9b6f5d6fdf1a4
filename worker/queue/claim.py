"""What is known of a job that is claimed, or was: its claim, its progress, its state."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID


class JobStatus(StrEnum):
    """The values of the column "Status"; docs/contract.md describes the transitions."""

    PENDING = "Pending"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


@dataclass(frozen=True)
class Named:
    """A job's id, and the lease version and the worker of one claim of it.

    After a fail-over to a replica that lacks the claim, another worker can have the same id and lease version.
    """

    job_id: UUID
    lease_version: int
    worker_id: str

    @property
    def name(self) -> str:
        """A unique name of this claim, for `known.held`."""
        return f"{self.job_id}.{self.lease_version}"


@dataclass(frozen=True)
class Claim(Named):
    """A job that this worker holds as long as its row has this `lease_version` and `worker_id`.

    `options` is the JSON of "Options", cut after MAX_OPTIONS_CHARACTERS. `claimed_at` is in seconds since 1970.
    """

    attempt: int
    max_attempts: int
    options: str
    claimed_at: Decimal
    waited_seconds: Decimal

    @property
    def started_at(self) -> datetime:
        return _time(self.claimed_at)


@dataclass(frozen=True)
class Progress:
    """A running job's percentage, the text for "CurrentStage", and the seconds until it ends, if known.

    The row gets a percentage of 0 to 99, and the seconds only where they are a possible time.
    """

    percentage: int
    current_stage: str
    seconds_left: float | None = None


@dataclass(frozen=True)
class State:
    """The current state of any job's row."""

    status: JobStatus
    lease_version: int
    worker_id: str | None
    cancel_requested: bool

    def is_of(self, claim: Named) -> bool:
        """Whether this claim is the latest of the job."""
        return (self.lease_version, self.worker_id) == (claim.lease_version, claim.worker_id)


@dataclass(frozen=True)
class JobEnd:
    """How a job ended, or why it waits for another attempt; the error is `None` where nothing went wrong.

    `is_coalesced`: it was completed together with another job.
    """

    status: JobStatus
    error_code: str | None = None
    error_message: str | None = None
    is_coalesced: bool | None = None


@dataclass(frozen=True)
class Rescued(Named):
    """A claim whose lease ran out, and the new status of its job. `rescued_at` is in seconds since 1970."""

    status: JobStatus
    attempt: int
    rescued_at: Decimal

    @property
    def ended_at(self) -> datetime:
        return _time(self.rescued_at)


class LeaseLost(Exception):
    """This worker no longer holds the job: another worker has it, or it has ended. Write nothing more to its row."""


class CancelRequested(Exception):
    """This worker holds the job, and the backend has requested its cancellation."""


def _time(seconds: Decimal) -> datetime:
    """The time that a statement gives as a number."""
    return datetime.fromtimestamp(float(seconds), UTC)
