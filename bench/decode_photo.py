"""A photo as the worker prepares it, decoded in this process."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from worker.photos.decode import open_photo
from worker.photos.file import read_photo


def decode_photo(path: Path) -> npt.NDArray[np.uint8]:
    """Read one photo, prepared as in PREPARATION: shape (224, 224, 3), RGB, 0..255. Thread-safe.

    Raises as `read_photo` and `open_photo` do.
    """
    return np.array(open_photo(path, read_photo(path)).whole, dtype=np.uint8)
