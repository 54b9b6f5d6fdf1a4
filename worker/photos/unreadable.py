"""Why a photo cannot be used."""

from enum import StrEnum


class SkipReason(StrEnum):
    """Why a photo is left out of a training run; docs/logs.md explains each."""

    MISSING = "missing"
    UNSAFE_NAME = "unsafe_name"
    EMPTY_FILE = "empty_file"
    NOT_AN_IMAGE = "not_an_image"
    TRUNCATED = "truncated"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"


class UnreadablePhoto(Exception):
    """The file cannot be read as a photo: `reason` says why in a word, the message in a sentence."""

    def __init__(self, reason: SkipReason, message: str) -> None:
        super().__init__(message)
        self.reason: SkipReason = reason
