"""Removes what dead workers left below `models/`: staged files, and folders that never got a row."""

import re
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from worker.registry.folder import STAGING

# Younger ones may belong to a worker that is at work on them, or to a backend that is writing their row.
ORPHAN_SECONDS = 24 * 3600
# The version of a worker that seemed dead stays reserved for a while: it may come back and tidy up.
EMPTY_SECONDS = 3600
_VERSION = re.compile(r"v[0-9]+_[0-9]{8}")

Ask = Callable[[str], Awaitable[bool]]


async def remove_orphans(models: Path, is_held: Ask, is_registered: Ask) -> list[Path]:
    """Remove orphans and name them.

    `is_held` says of a staged folder's owner whether its worker still has the job; `is_registered` says of
    a version whether it has a row. Raises what they raise; what cannot be removed stays.
    """
    removed = []
    for staged in _folders(models / STAGING):
        owners = _folders(staged)
        removed += [owner for owner in owners if not await is_held(owner.name)]
        if not owners and ((models / staged.name).exists() or _age(staged) > EMPTY_SECONDS):
            removed.append(staged)
    for place in _folders(models):
        old = _VERSION.fullmatch(place.name) and _age(place) > ORPHAN_SECONDS
        if old and not await is_registered(place.name):
            removed.append(place)
    for path in removed:
        shutil.rmtree(path, ignore_errors=True)
    return removed


def _folders(path: Path) -> list[Path]:
    try:
        return [entry for entry in sorted(path.iterdir()) if entry.is_dir() and not entry.is_symlink()]
    except FileNotFoundError:
        return []


def _age(path: Path) -> float:
    """Seconds since a folder was last written into; 0 for one that another worker has just removed."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
