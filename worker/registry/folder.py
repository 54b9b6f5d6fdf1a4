"""A version's folder: reserved under a temporary name, filled, synced, and renamed into its place.

A folder under `models/` is either whole or not there. A version is reserved by creating the folder
`models/.staging/<version>/`, which nobody can create twice, so no two workers choose the same. Within it, a
folder named after the claim holds the files, so that anybody can tell whose they are.
"""

import contextlib
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

STAGING = ".staging"

METADATA = "metadata.json"
"""The file of a version that says all of it, and which other files there are."""


@dataclass(frozen=True)
class VersionFolder:
    """A reserved version: written at `staged`, published at `published`."""

    version: str
    staged: Path
    published: Path


def reserve(models: Path, now: datetime, owner: str) -> VersionFolder:
    """Reserve `v{unix seconds}_{yyyymmdd}` of `now`, or of the next second that is free.

    Raises OSError where the folder cannot be written.
    """
    seconds = int(now.timestamp())
    while True:
        version = f"v{seconds}_{datetime.fromtimestamp(seconds, UTC):%Y%m%d}"
        reserved, published = models / STAGING / version, models / version
        reserved.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            reserved.mkdir()
            # Looked at only now: a version is in its place before its reservation is given up.
            if not published.exists():
                staged = reserved / owner
                staged.mkdir()
                return VersionFolder(version, staged, published)
            _give_up(reserved)
        seconds += 1


def publish(folder: VersionFolder) -> None:
    """Make the synced folder visible under its version, in one rename that survives a power cut.

    May be called again after it succeeded. Raises OSError.
    """
    try:
        folder.staged.rename(folder.published)
    except FileNotFoundError:
        if not folder.published.is_dir():
            raise
    sync(folder.published.parent)


def take_back(folder: VersionFolder) -> None:
    """Make a folder a staged one again that was published and whose row did not come to be."""
    if folder.published.exists():
        # An empty reservation of a version that is published is tidied away at any worker's start.
        folder.staged.parent.mkdir(parents=True, exist_ok=True)
        folder.published.rename(folder.staged)


def unpublish(folder: VersionFolder) -> None:
    """Remove a folder that was published and whose row did not come to be."""
    shutil.rmtree(folder.published, ignore_errors=True)


def discard(folder: VersionFolder) -> None:
    """Remove what was staged and not published, and give up the reservation."""
    shutil.rmtree(folder.staged, ignore_errors=True)
    _give_up(folder.staged.parent)


def sync_tree(folder: Path) -> None:
    """Force every file of a staged folder, and the folder itself, to the disk."""
    for path in sorted(folder.rglob("*")):
        sync(path)
    sync(folder)


def sync(path: Path) -> None:
    """Force a file, or a folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _give_up(reserved: Path) -> None:
    # Not empty: another worker has it. Not there: another worker's start has tidied it away.
    with contextlib.suppress(OSError):
        reserved.rmdir()
