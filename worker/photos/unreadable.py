"""The reasons why a photo cannot be used."""

from enum import StrEnum


class SkipReason(StrEnum):
    """Why a photo is skipped in a job; docs/logs.md explains each."""

    MISSING = "missing"
    INCOMPLETE_ROW = "incomplete_row"
    UNSAFE_NAME = "unsafe_name"
    UNREADABLE = "unreadable"
    EMPTY_FILE = "empty_file"
    NOT_AN_IMAGE = "not_an_image"
    TRUNCATED = "truncated"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"


class UnreadablePhoto(Exception):
    """The file cannot be read as a photo: `reason` is for programs, the message for people."""

    def __init__(self, reason: SkipReason, message: str) -> None:
        super().__init__(message)
        self.reason: SkipReason = reason
