"""Wording of the report: titles, numbers, times, and names that may hold anything."""

import math
import re
import unicodedata
from datetime import UTC, datetime
from typing import Final

from worker.job.advice import AdviceKind
from worker.job.progress import Phase, Stage
from worker.photos.unreadable import SkipReason

MOST_MEMBERS: Final = 20
_NO_TEXT: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f]")

RECOGNISES_NOTHING: Final = (
    "This model recognises nothing. The network that looks at photos has random weights (BASE_WEIGHTS=random), which "
    "are for tests of the process. Whatever the numbers below say, do not use it."
)

ADVICE: Final = {
    AdviceKind.PRODUCTS_LOST: "Products whose photos are lost",
    AdviceKind.TOO_FEW_PHOTOS: "Take more photos",
    AdviceKind.NOT_MEASURED: "Take photos on another day",
    AdviceKind.SAME_PHOTO: "The same photo twice",
    AdviceKind.LOOKS_MISLABELLED: "Perhaps filed under the wrong product",
    AdviceKind.BLURRED: "Blurred photos",
    AdviceKind.DARK: "Dark photos",
    AdviceKind.TINY: "Tiny photos",
    AdviceKind.HARD_TO_TELL_APART: "Products that are hard to tell apart",
}

SKIPPED: Final = {
    SkipReason.MISSING: "the file is not there",
    SkipReason.INCOMPLETE_ROW: "the product's SKU or name, or the file's name, is not in the database",
    SkipReason.UNSAFE_NAME: "the file's name is too long, or could lead out of its folder",
    SkipReason.UNREADABLE: "the worker may not read the file, or the disk has an error there",
    SkipReason.EMPTY_FILE: "the file is empty",
    SkipReason.NOT_AN_IMAGE: "the file is not an image",
    SkipReason.TRUNCATED: "the file is cut short or damaged",
    SkipReason.TOO_LARGE: "the photo is too large",
    SkipReason.UNSUPPORTED: "this kind of image is not supported",
}

STAGES: Final = {
    Stage.FETCH_PHOTOS: "Finding the photos",
    Stage.PREPARE_DATASET: "Reading the files",
    Stage.BUILD_MODEL: "Loading the network",
    Stage.TRAIN: "Training",
    Stage.EXPORT: "Writing the model",
    Stage.DEPLOY: "Describing the model",
}

PHASES: Final = {Phase.TRIAL: "trial", Phase.TUNING: "training of what is published"}


def readable(text: str) -> str:
    """`text` with U+FFFD in place of control characters and lone surrogates."""
    return _NO_TEXT.sub("\ufffd", text)


def one_line(text: str) -> str:
    return " ".join(readable(text).split())


def shortened(text: str, width: int) -> str:
    """`text` on one line of about `width` letters, cut in the middle, as names differ at their ends."""
    line = one_line(text)
    if _width(line) <= width:
        return line
    start = _cut(line, math.ceil((width - 1) / 2))
    return start + "…" + _cut(line[::-1], (width - 1) // 2)[::-1]


def _cut(text: str, width: int) -> str:
    return next((text[:end] for end in range(len(text)) if _width(text[: end + 1]) > width), text)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def percent(share: float) -> str:
    """A share in percent: 0 and 100 only where they are exact."""
    if 0 < share < 0.01:
        return f"{math.ceil(share * 1000) / 10:g}%"
    if 0.99 < share < 1:
        return f"{math.floor(share * 1000) / 10:g}%"
    return f"{share * 100:.0f}%"


def of_hundred(share: float) -> str:
    """A share in words: how many of 100."""
    return percent(share).removesuffix("%") + " of 100"


def between(low: float, high: float) -> str:
    return f"{percent(low).removesuffix('%')} to {percent(high)}"


def number(count: int) -> str:
    return f"{count:,}"


def counted(count: int, one: str, many: str = "") -> str:
    """A number and what it counts: 1 photo, 1,200 photos."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%-d %B %Y, %H:%M} UTC"


def setting(value: object) -> str:
    """An option's value: a list as its first members, nothing as "not set"."""
    if value is None or value == ():
        return "not set"
    if isinstance(value, tuple | list):
        rest = f", and {len(value) - MOST_MEMBERS:,} more" if len(value) > MOST_MEMBERS else ""
        return ", ".join(str(member) for member in value[:MOST_MEMBERS]) + rest
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def file_name(photo: str) -> str:
    return photo.rpartition("/")[2] or photo
