"""A version's folder: reserved under a temporary name, filled, synced, and renamed into its place.

A folder under `models/` is either whole or not there. Reserving creates `models/.staging/<version>`,
which no other worker can create again, so two workers never choose the same version.
"""

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

STAGING = ".staging"


@dataclass(frozen=True)
class VersionFolder:
    """A reserved version: written at `staged`, published at `place`."""

    version: str
    staged: Path
    place: Path


def reserve(models: Path, now: datetime) -> VersionFolder:
    """Reserve `v{unix seconds}_{yyyymmdd}` of `now`, or of the next second that is free.

    Raises OSError where the folder cannot be written.
    """
    staging = models / STAGING
    staging.mkdir(parents=True, exist_ok=True)
    seconds = int(now.timestamp())
    while True:
        version = f"v{seconds}_{datetime.fromtimestamp(seconds, UTC):%Y%m%d}"
        folder = VersionFolder(version, staging / version, models / version)
        try:
            folder.staged.mkdir()
        except FileExistsError:
            pass
        else:
            # Looked at only now: publishing frees the staged name at the moment it takes the place.
            if not folder.place.exists():
                return folder
            folder.staged.rmdir()
        seconds += 1


def publish(folder: VersionFolder) -> None:
    """Make the synced folder visible under its version, in one rename that survives a power cut.

    May be called again after it succeeded. Raises OSError.
    """
    if folder.staged.exists():
        folder.staged.rename(folder.place)
    _sync(folder.place.parent)


def unpublish(folder: VersionFolder) -> None:
    """Remove a folder that was published and whose row did not come to be."""
    shutil.rmtree(folder.place, ignore_errors=True)


def discard(folder: VersionFolder) -> None:
    """Remove what was staged and not published."""
    shutil.rmtree(folder.staged, ignore_errors=True)


def sync_tree(folder: Path) -> None:
    """Force every file of a staged folder, and the folder itself, to the disk."""
    for path in sorted(folder.rglob("*")):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
