"""Numbers that code, messages and documents share: what training needs, and how much is read."""

from typing import Final

MIN_PHOTOS: Final = 10
MIN_PRODUCTS: Final = 2

MAX_MISSING_SHARE: Final = 0.1
"""Largest share of missing photo files. With more, the storage is probably wrong, not the rows."""

MAX_OPTIONS_CHARACTERS: Final = 1 << 24
"""Longest JSON of a job's options that is read."""
