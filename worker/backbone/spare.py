"""Where the backbone is kept while CACHE_PATH cannot be written: a temporary folder, as long as this process runs."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory


class CacheFault(OSError):
    """CACHE_PATH cannot be written. What it would keep can be had all the same, for this process only."""


def spare_cache() -> Path:
    """Take it in place of CACHE_PATH. Raises OSError where the temporary folder cannot be written either."""
    return Path(_folder().name)


@cache
def _folder() -> "TemporaryDirectory[str]":
    return TemporaryDirectory(prefix="cache-")
