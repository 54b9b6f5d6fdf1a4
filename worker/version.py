"""The version of this worker, as it was installed."""

from importlib.metadata import version
from typing import Final

VERSION: Final = version("training-worker")
PROGRAM: Final = f"training-worker {VERSION}"
"""How it is called in `pg_stat_activity`, unless the connection string gives another name."""
