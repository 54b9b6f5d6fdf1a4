"""What the shop can do to get a better model."""

from dataclasses import dataclass
from enum import StrEnum


class AdviceKind(StrEnum):
    """What is the matter; docs/contract.md lists them."""

    TOO_FEW_PHOTOS = "too_few_photos"
    NOT_MEASURED = "not_measured"
    SAME_PHOTO = "same_photo"
    LOOKS_MISLABELLED = "looks_mislabelled"
    BLURRED = "blurred"
    DARK = "dark"
    TINY = "tiny"
    HARD_TO_TELL_APART = "hard_to_tell_apart"


@dataclass(frozen=True)
class Advice:
    """One thing to do, in a sentence that names what it is about.

    `skus` and `photos` (paths below the storage) are all that it is about, the worst first; the sentence may
    name fewer.
    """

    kind: AdviceKind
    sentence: str
    skus: tuple[str, ...]
    photos: tuple[str, ...]
