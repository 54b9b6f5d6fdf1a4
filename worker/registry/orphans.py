"""Removes what killed workers left in `models/`: staged files, folders without a row, and pruned folders."""

import json
import re
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from worker.registry.folder import METADATA, STAGING, release
from worker.registry.prune import pruned

# A younger folder may belong to a worker that is still publishing it, or to a backend that is writing its row.
ORPHAN_SECONDS = 24 * 3600
# A worker that seemed dead may return and release its empty reservation itself.
EMPTY_SECONDS = 3600
_VERSION = re.compile(r"v[0-9]+_[0-9]{8}")

Ask = Callable[[str], Awaitable[bool]]


@dataclass(frozen=True)
class Orphans:
    """Removed orphans, and versions without a row that are not proven to be orphans and were left."""

    removed: list[Path]
    left: list[Path]


async def remove_orphans(
    models: Path, now: datetime, is_held: Ask, is_registered: Ask, ended_without_model: Ask, is_result: Ask
) -> Orphans:
    """Remove orphans, and return them with those that were left.

    `now` is by the database's clock. `is_held`: whether a staged folder's claim still holds its job; `is_registered`:
    whether a version has a row; `ended_without_model`: whether a job's id belongs to a job that failed or was
    cancelled; `is_result`: whether a job has completed with a version.
    Raises what they raise; leaves what cannot be removed.
    """
    removed: list[Path] = []
    left: list[Path] = []
    for staged in _folders(models / STAGING):
        owners = _folders(staged)
        removed += [owner for owner in owners if not await is_held(owner.name)]
        if not owners and ((models / staged.name).exists() or _age(staged) > EMPTY_SECONDS):
            removed.append(staged)
    for folder in _folders(models):
        old = _VERSION.fullmatch(folder.name) and _age(folder) > ORPHAN_SECONDS
        if old and not await is_registered(folder.name):
            # A missing row proves little: the database may be an old backup or the wrong one.
            (removed if await ended_without_model(_job_of(folder)) else left).append(folder)
    for hidden in pruned(models):
        if not await is_registered(hidden.name):
            (removed if await is_result(hidden.name) else left).append(hidden)
    _remove(models, removed, now)
    return Orphans(removed, left)


def remove_staged(models: Path, owner: str, now: datetime) -> list[Path]:
    """Remove the folders that a claim has staged, with their reservations, and return them.

    `now` is by the database's clock. What cannot be removed stays.
    """
    try:
        removed = list((models / STAGING).glob(f"*/{owner}"))
    except OSError:
        return []
    _remove(models, removed, now)
    return removed


def _remove(models: Path, paths: list[Path], now: datetime) -> None:
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)
        if path.parent.parent == models / STAGING:
            release(path.parent, now)


def _job_of(folder: Path) -> str:
    """The job's id in the `metadata.json` of `folder`; empty where there is none."""
    try:
        return str(json.loads((folder / METADATA).read_bytes())["job_id"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def _folders(path: Path) -> list[Path]:
    try:
        return [entry for entry in sorted(path.iterdir()) if entry.is_dir() and not entry.is_symlink()]
    except FileNotFoundError:
        return []


def _age(path: Path) -> float:
    """Seconds since the folder's last modification; 0 for one that another worker has just removed."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
