"""Removes what the dead left below `models/`: staged files, folders that never got a row, and pruned ones."""

import json
import re
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from worker.registry.folder import METADATA, STAGING
from worker.registry.prune import pruned

# Younger ones may belong to a worker that is at work on them, or to a backend that is writing their row.
ORPHAN_SECONDS = 24 * 3600
# The version of a worker that seemed dead stays reserved for a while: it may come back and tidy up.
EMPTY_SECONDS = 3600
_VERSION = re.compile(r"v[0-9]+_[0-9]{8}")

Ask = Callable[[str], Awaitable[bool]]


@dataclass(frozen=True)
class Orphans:
    """What nobody needs any more, and day-old versions without a row of which nobody knows that."""

    removed: list[Path]
    left: list[Path]


async def remove_orphans(
    models: Path, is_held: Ask, is_registered: Ask, ended_without_model: Ask, is_result: Ask
) -> Orphans:
    """Remove orphans, and name them.

    `is_held` says of a staged folder's owner whether its worker still has the job; `is_registered` says of
    a version whether it has a row; `ended_without_model` says of a job's id whether it is known to have;
    `is_result` says of a version whether a job is known to have made it.
    Raises what they raise; what cannot be removed stays.
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
            # That there is no row says little: the database may be a restored or a wrong one.
            (removed if await ended_without_model(_job_of(folder)) else left).append(folder)
    for hidden in pruned(models):
        if not await is_registered(hidden.name):
            (removed if await is_result(hidden.name) else left).append(hidden)
    for path in removed:
        shutil.rmtree(path, ignore_errors=True)
    return Orphans(removed, left)


def remove_staged(models: Path, owner: str) -> list[Path]:
    """Remove what a claim has staged, and name it; the version stays reserved, and what cannot be removed stays."""
    try:
        removed = list((models / STAGING).glob(f"*/{owner}"))
    except OSError:
        return []
    for path in removed:
        shutil.rmtree(path, ignore_errors=True)
    return removed


def _job_of(folder: Path) -> str:
    """The id of the job that the `metadata.json` in `folder` names; empty where it names none."""
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
    """Seconds since a folder was last written into; 0 for one that another worker has just removed."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
