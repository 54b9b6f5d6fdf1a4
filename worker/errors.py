"""The error codes of a job: what each means, and what an operator can do about it."""

import errno
from dataclasses import dataclass
from enum import StrEnum

from worker.limits import MAX_MISSING_SHARE, MIN_PHOTOS, MIN_PRODUCTS


class ErrorCode(StrEnum):
    """The values of a job's column "ErrorCode"."""

    INSUFFICIENT_PHOTOS = "insufficient_photos"
    STORAGE_INCOMPLETE = "storage_incomplete"
    STORAGE_FULL = "storage_full"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    OUTPUT_INCOMPLETE = "output_incomplete"
    INVALID_OPTIONS = "invalid_options"
    TIME_BUDGET_TOO_SHORT = "time_budget_too_short"
    BASE_WEIGHTS_UNAVAILABLE = "base_weights_unavailable"
    BASE_WEIGHTS_INVALID = "base_weights_invalid"
    DATABASE_UNAVAILABLE = "database_unavailable"
    JOB_ROW_REFUSED = "job_row_refused"
    MODEL_ROW_REFUSED = "model_row_refused"
    OUT_OF_MEMORY = "out_of_memory"
    CHILD_DIED = "child_died"
    TIMED_OUT = "timed_out"
    WORKER_LOST = "worker_lost"
    INTERRUPTED_TOO_OFTEN = "interrupted_too_often"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True)
class Cause:
    """What a code means, whether the error is transient (`may_pass`), and what to do about it.

    A job with a transient error is retried, up to "MaxAttempts"; with any other error it fails at once.
    """

    may_pass: bool
    meaning: str
    remedy: str


# docs/errors.md is checked against this table.
CAUSES: dict[ErrorCode, Cause] = {
    ErrorCode.INSUFFICIENT_PHOTOS: Cause(
        False,
        f"fewer than {MIN_PHOTOS} usable photos, or fewer than {MIN_PRODUCTS} products with one",
        "add photos to active products and insert a new job",
    ),
    ErrorCode.STORAGE_INCOMPLETE: Cause(
        False,
        f"more than {MAX_MISSING_SHARE:.0%} of the photos' files are missing",
        "set PHOTO_PATH where the message says so; else check that STORAGE_PATH is the folder that the backend writes "
        "to, with all its files",
    ),
    ErrorCode.STORAGE_FULL: Cause(
        False,
        "no space was left where the model or its temporary files are written",
        "free space under OUTPUT_PATH and the temporary folder, then insert a new job",
    ),
    ErrorCode.STORAGE_UNAVAILABLE: Cause(
        True,
        "a folder or file could not be read or written, or STORAGE_PATH is missing or empty",
        "check the mounts and permissions of STORAGE_PATH and OUTPUT_PATH",
    ),
    ErrorCode.OUTPUT_INCOMPLETE: Cause(
        True,
        "the active model is not whole in OUTPUT_PATH, so no other model may take its place",
        "mount or restore the folder that the message names, activate another model, or run `worker models adopt`",
    ),
    ErrorCode.INVALID_OPTIONS: Cause(
        False,
        '"Options" has an unknown key or a value out of range, or cannot be read',
        "correct what the message names and insert a new job",
    ),
    ErrorCode.TIME_BUDGET_TOO_SHORT: Cause(
        False,
        "time_budget_seconds does not even allow looking at every photo once",
        "insert a new job with a larger time_budget_seconds, or without",
    ),
    ErrorCode.BASE_WEIGHTS_UNAVAILABLE: Cause(
        False,
        "the backbone's weights could not be had",
        "set BACKBONE to auto, or do what the message says: install the package, or name the file",
    ),
    ErrorCode.BASE_WEIGHTS_INVALID: Cause(
        False,
        "a file does not hold the weights of the backbone that BACKBONE names, or was changed",
        "set BASE_WEIGHTS to imagenet, or BACKBONE to the architecture that the file is of",
    ),
    ErrorCode.DATABASE_UNAVAILABLE: Cause(
        True, "the products could not be read from the database", "check the database"
    ),
    ErrorCode.JOB_ROW_REFUSED: Cause(
        False,
        'a constraint or trigger of the backend refuses what the worker writes to "TrainingJobs"',
        "have it allow what docs/contract.md lists, then call retry_training_job",
    ),
    ErrorCode.MODEL_ROW_REFUSED: Cause(
        False,
        'a column, constraint or trigger of the backend refuses the model\'s row in "ModelMetadata"',
        "give the column that the message names a default, or change the constraint, then call retry_training_job",
    ),
    ErrorCode.OUT_OF_MEMORY: Cause(
        True, "training needed more memory than it may use", "raise CHILD_MEMORY_MB or the container's limit"
    ),
    ErrorCode.CHILD_DIED: Cause(
        True,
        "the training process ended without a result",
        "look at stderr_tail of child_died in the log, and at who killed it",
    ),
    ErrorCode.TIMED_OUT: Cause(
        False, "training took longer than JOB_TIMEOUT", "raise JOB_TIMEOUT, or look for what hangs"
    ),
    ErrorCode.WORKER_LOST: Cause(
        False,
        "the workers that had the job were not heard of any more, at every attempt",
        "look at the log of the worker that the message names: was it killed for memory?",
    ),
    ErrorCode.INTERRUPTED_TOO_OFTEN: Cause(
        False,
        "workers were asked to stop while they had the job, more than MAX_INTERRUPTIONS times",
        "let a worker run for as long as a job takes, then insert a new job",
    ),
    ErrorCode.INTERNAL_ERROR: Cause(
        False, "an error that the worker does not know", "look for the stack trace in the log and report it"
    ),
}


FULL = (errno.ENOSPC, errno.EDQUOT)


def code_of(error: OSError) -> ErrorCode:
    """The error code for a failed file operation."""
    if error.errno == errno.ENOMEM:
        return ErrorCode.OUT_OF_MEMORY
    return ErrorCode.STORAGE_FULL if error.errno in FULL else ErrorCode.STORAGE_UNAVAILABLE


class JobError(Exception):
    """An error that ends the attempt at a job: `code` is for programs, `message` for people."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[type["JobError"], tuple[ErrorCode, str]]:
        return JobError, (self.code, self.message)


class UserError(Exception):
    """Wrong arguments or configuration of the worker; shown without a stack trace. `status` is the exit status."""

    status = 1
