"""What a catalogue must have to be trained on: the numbers that code, messages and documents share."""

from typing import Final

MIN_PHOTOS: Final = 10
MIN_PRODUCTS: Final = 2

MAX_MISSING_SHARE: Final = 0.1
"""Of the photos' files. Where more are missing, the storage is more likely to be the wrong one than the rows."""
