"""Requirements on a catalogue for training; code, messages and documents share these numbers."""

from typing import Final

MIN_PHOTOS: Final = 10
MIN_PRODUCTS: Final = 2

MAX_MISSING_SHARE: Final = 0.1
"""Largest share of missing photo files. With more, the storage is probably wrong, not the rows."""
