"""Why a job can fail: one table of codes, each with what an operator can do about it."""

import errno
from dataclasses import dataclass
from enum import StrEnum


class ErrorCode(StrEnum):
    """What `"ErrorCode"` of a failed job can hold."""

    INSUFFICIENT_PHOTOS = "insufficient_photos"
    STORAGE_INCOMPLETE = "storage_incomplete"
    STORAGE_FULL = "storage_full"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    INVALID_OPTIONS = "invalid_options"
    BASE_WEIGHTS_UNAVAILABLE = "base_weights_unavailable"
    BASE_WEIGHTS_INVALID = "base_weights_invalid"
    DATABASE_UNAVAILABLE = "database_unavailable"
    OUT_OF_MEMORY = "out_of_memory"
    CHILD_DIED = "child_died"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True)
class Cause:
    """What a code means and what to do; the table in docs/errors.md is checked against these."""

    meaning: str
    remedy: str


CAUSES: dict[ErrorCode, Cause] = {
    ErrorCode.INSUFFICIENT_PHOTOS: Cause(
        "fewer than 10 usable photos, or fewer than 2 products with one",
        "add photos to active products and insert a new job",
    ),
    ErrorCode.STORAGE_INCOMPLETE: Cause(
        "more than 10% of the photos' files are missing",
        "check that STORAGE_PATH is the backend's own storage, mounted and complete",
    ),
    ErrorCode.STORAGE_FULL: Cause(
        "no space was left where the model or its temporary files are written",
        "free space under OUTPUT_PATH and the temporary folder, then insert a new job",
    ),
    ErrorCode.STORAGE_UNAVAILABLE: Cause(
        "a folder or file could not be read or written",
        "check the mounts and permissions of STORAGE_PATH and OUTPUT_PATH",
    ),
    ErrorCode.INVALID_OPTIONS: Cause(
        '"Options" has an unknown key or a value out of range',
        "correct the key that the message names and insert a new job",
    ),
    ErrorCode.BASE_WEIGHTS_UNAVAILABLE: Cause(
        "the backbone's weights could not be had",
        "set BASE_WEIGHTS to the path of the weights file, or let the worker download it once",
    ),
    ErrorCode.BASE_WEIGHTS_INVALID: Cause(
        "the file that BASE_WEIGHTS names does not hold MobileNetV2 1.0/224 without its top",
        "set BASE_WEIGHTS to the file that Keras itself downloads, or to imagenet",
    ),
    ErrorCode.DATABASE_UNAVAILABLE: Cause(
        "the products could not be read from the database", "check the database and insert a new job"
    ),
    ErrorCode.OUT_OF_MEMORY: Cause(
        "training needed more memory than it may use", "give the worker more memory"
    ),
    ErrorCode.CHILD_DIED: Cause(
        "the training process ended without a result", "look at child_output in the log before it"
    ),
    ErrorCode.INTERNAL_ERROR: Cause(
        "an error that the worker does not know", "look for the stack trace in the log and report it"
    ),
}


def code_of(error: OSError) -> ErrorCode:
    """The code of a failure to read or write files."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return ErrorCode.STORAGE_FULL if full else ErrorCode.STORAGE_UNAVAILABLE


class JobError(Exception):
    """Ends a job as `Failed`: `code` for programs, `str(error)` a sentence for people."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class UserError(Exception):
    """A mistake in how the worker was called or set up; shown without a stack trace."""
