"""Removes what killed workers left in `models/`: staged files, folders without a row, and pruned folders.

There may be very many, so that this is done in steps: a few questions to the database about some of them, each in a
short transaction, and the work on files in a thread, while the caller goes on with its own.
"""

import asyncio
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from worker.registry.folder import METADATA, STAGING, VERSION_NAME, release
from worker.registry.prune import pruned

# A younger folder may belong to a worker that is still publishing it, or to a backend that is writing its row.
ORPHAN_SECONDS = 24 * 3600
# A worker that seemed dead may return and release its empty reservation itself.
EMPTY_SECONDS = 3600
STEP: Final = 500
"""Most folders of a step."""

Ask = Callable[[Sequence[str]], Awaitable[Collection[str]]]


@dataclass(frozen=True)
class Known:
    """What the database knows: each question returns those of some names of which it is true.

    `held`: a staged folder's claim still holds its job; `registered`: a version has a row; `ended_without_model`: the
    job with this id failed or was cancelled; `results`: a job has completed with a version.
    """

    held: Ask
    registered: Ask
    ended_without_model: Ask
    results: Ask


@dataclass(frozen=True)
class Orphans:
    """Removed orphans, and versions without a row that are not proven to be orphans and were left."""

    removed: list[Path]
    left: list[Path]


async def remove_orphans(models: Path, now: datetime, known: Known) -> AsyncIterator[Orphans]:
    """Remove orphans step by step, and yield those of each step with those that were left.

    `now` is by the database's clock. Raises what the questions raise; leaves what cannot be removed.
    """
    staging = await asyncio.to_thread(_folders, models / STAGING)
    for folders in _steps(staging):
        yield await _removed(models, now, await _unheld(models, folders, known))
    published = [
        folder for folder in await asyncio.to_thread(_folders, models) if VERSION_NAME.fullmatch(folder.name)
    ]
    for folders in _steps(published):
        yield await _removed(models, now, await _without_row(folders, known))
    for folders in _steps(await asyncio.to_thread(pruned, models)):
        yield await _removed(models, now, await _half_pruned(folders, known))


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


async def _unheld(models: Path, reserved: Sequence[Path], known: Known) -> Orphans:
    owners = await asyncio.to_thread(lambda: {folder: _folders(folder) for folder in reserved})
    held = await known.held([owner.name for inside in owners.values() for owner in inside])
    dead = [owner for inside in owners.values() for owner in inside if owner.name not in held]
    empty = [folder for folder, inside in owners.items() if not inside]
    given_up = await asyncio.to_thread(
        lambda: [
            folder for folder in empty if (models / folder.name).exists() or _age(folder) > EMPTY_SECONDS
        ]
    )
    return Orphans(dead + given_up, [])


async def _without_row(published: Sequence[Path], known: Known) -> Orphans:
    registered = await known.registered([folder.name for folder in published])
    unknown = [folder for folder in published if folder.name not in registered]
    jobs = await asyncio.to_thread(
        lambda: {folder: _job_of(folder) for folder in unknown if _age(folder) > ORPHAN_SECONDS}
    )
    # A missing row proves little: the database may be an old backup or the wrong one.
    ended = await known.ended_without_model([job for job in jobs.values() if job])
    return Orphans(
        [folder for folder, job in jobs.items() if job in ended],
        [folder for folder, job in jobs.items() if job not in ended],
    )


async def _half_pruned(hidden: Sequence[Path], known: Known) -> Orphans:
    registered = await known.registered([folder.name for folder in hidden])
    unknown = [folder for folder in hidden if folder.name not in registered]
    results = await known.results([folder.name for folder in unknown])
    return Orphans(
        [folder for folder in unknown if folder.name in results],
        [folder for folder in unknown if folder.name not in results],
    )


async def _removed(models: Path, now: datetime, orphans: Orphans) -> Orphans:
    await asyncio.to_thread(_remove, models, orphans.removed, now)
    return orphans


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


def _steps(folders: Sequence[Path]) -> list[Sequence[Path]]:
    return [folders[start : start + STEP] for start in range(0, len(folders), STEP)]


def _folders(path: Path) -> list[Path]:
    try:
        with os.scandir(path) as entries:
            return sorted(path / entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []


def _age(path: Path) -> float:
    """Seconds since the folder's last modification; 0 for one that another worker has just removed."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
