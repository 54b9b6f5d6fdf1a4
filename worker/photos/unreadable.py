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
    DECODER_CRASHED = "decoder_crashed"
    TOO_SLOW = "too_slow"


class UnreadablePhoto(Exception):
    """The file cannot be read as a photo: `reason` is for programs, the message for people."""

    def __init__(self, reason: SkipReason, message: str) -> None:
        super().__init__(message)
        self.reason: SkipReason = reason


class FailedDecoding(UnreadablePhoto):
    """The photo ended its decoder twice, the second time with nothing else in decoding.

    `sha256` is that of the file's content, empty where it was not read to its end.
    """

    def __init__(self, reason: SkipReason, message: str, sha256: str) -> None:
        super().__init__(reason, message)
        self.sha256 = sha256
