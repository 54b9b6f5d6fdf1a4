"""What the shop can do to get a better model."""

from dataclasses import dataclass
from enum import StrEnum


class AdviceKind(StrEnum):
    """The kind of problem; docs/contract.md lists the kinds."""

    PRODUCTS_LOST = "products_lost"
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
    """One thing to do: `message` is a sentence for people that names the products or photos concerned.

    `skus` are all products concerned. `photos` are paths below the storage, the worst first, 20 at most. The message
    may name fewer of both.
    """

    kind: AdviceKind
    message: str
    skus: tuple[str, ...]
    photos: tuple[str, ...]
