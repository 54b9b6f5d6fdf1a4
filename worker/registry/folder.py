"""A version's folder: reserved in `.staging`, filled, synced, and published by a rename.

A folder under `models/` is either complete or absent. Creating the folder `models/.staging/<version>/`
reserves the version; it can be created only once, so that no two workers get the same version. In it, a
folder named after the claim holds the files and shows who owns them.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

STAGING = ".staging"
PRUNED = ".pruned"

METADATA = "metadata.json"
"""The file that describes a version and lists its other files."""

VERSION_NAME = re.compile(r"v([0-9]{10})_[0-9]{8}")
"""A version that this worker named, and its seconds; their order as texts is that of their seconds."""


@dataclass(frozen=True)
class VersionFolder:
    """A reserved version: its files are written to `staged`, and published as `published`."""

    version: str
    staged: Path
    published: Path


def reserve(models: Path, now: datetime, owner: str, known: Iterable[str | None] = ()) -> VersionFolder:
    """Reserve the version `v{unix seconds}_{yyyymmdd}` of `now`, or of the next second after all that are known.

    So no version is given twice, nor out of order, even after a prune, or when the clock is set back. `known` are
    versions in the database; those in `models` are looked up. Raises OSError where the folder cannot be written.
    """
    named = map(VERSION_NAME.fullmatch, {*filter(None, known), *_names(models)})
    seconds = max([int(now.timestamp()), *(int(version[1]) + 1 for version in named if version)])
    while True:
        version = f"v{seconds}_{datetime.fromtimestamp(seconds, UTC):%Y%m%d}"
        reserved, published = models / STAGING / version, models / version
        # Never OUTPUT_PATH itself: while it is not mounted, it is not there.
        reserved.parent.mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError):
            reserved.mkdir()
            # Checked only now: another worker publishes its version before it releases the reservation.
            if not published.exists():
                staged = reserved / owner
                staged.mkdir()
                return VersionFolder(version, staged, published)
            _give_up(reserved)
        seconds += 1


def _names(models: Path) -> Iterator[str]:
    for folder in (models, models / STAGING, models / PRUNED):
        with contextlib.suppress(FileNotFoundError):
            yield from os.listdir(folder)


def publish(folder: VersionFolder) -> None:
    """Publish the synced folder under its version, in one rename that survives a power cut.

    May be called again after it succeeded. Raises OSError.
    """
    try:
        folder.staged.rename(folder.published)
    except FileNotFoundError:
        if not folder.published.is_dir():
            raise
    sync(folder.published.parent)


def take_back(folder: VersionFolder) -> None:
    """Move a published folder back to `staged`, because its row was not inserted."""
    if folder.published.exists():
        # Any worker's start removes the empty reservation of a published version.
        folder.staged.parent.mkdir(parents=True, exist_ok=True)
        folder.published.rename(folder.staged)


def unpublish(folder: VersionFolder) -> None:
    """Remove a published folder, because its row was not inserted."""
    shutil.rmtree(folder.published, ignore_errors=True)


def discard(folder: VersionFolder) -> None:
    """Remove the staged files and release the reservation."""
    shutil.rmtree(folder.staged, ignore_errors=True)
    _give_up(folder.staged.parent)


def sync_tree(folder: Path) -> None:
    """Sync every file of a staged folder, and the folder itself, to the disk."""
    for path in sorted(folder.rglob("*")):
        sync(path)
    sync(folder)


def sync(path: Path) -> None:
    """Sync a file's content, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def release(reserved: Path, now: datetime) -> None:
    """Release the reservation of a dead worker, unless a folder is in it, or its second is not over.

    Until then another worker could reserve the version, and the dead one, should it return, damage that one's model. By
    the database's clock, `now`, no job is claimed in a second that is over.
    """
    with contextlib.suppress(ValueError):
        if int(reserved.name[1:].partition("_")[0]) < int(now.timestamp()):
            _give_up(reserved)


def _give_up(reserved: Path) -> None:
    # Not empty: another worker has reserved it. Absent: another worker's start has removed it.
    with contextlib.suppress(OSError):
        reserved.rmdir()
