"""Removes old models: row and folder together, so that every row has its folder even after a crash.

The folder is renamed into `models/.pruned/` within the transaction that deletes its row. A killed prune leaves
it there: later it is moved back if its row still exists, and removed if not.
"""

import asyncio
import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from worker.database.connection import Transaction
from worker.errors import UserError
from worker.registry.activations import activations, before
from worker.registry.folder import PRUNED, sync
from worker.registry.models import QUERIES, Connection, active, all_models, lock, registered
from worker.registry.verify import version_folder

STEP: Final = 20
"""Most models that one transaction removes."""


@dataclass(frozen=True)
class ModelPrune:
    """Removes all models but the newest `keep`, the active one and those to roll back to, a few at a time.

    With `lock_seconds`, raises psycopg.errors.LockNotAvailable when another session has the models' lock for longer.
    """

    transaction: Transaction
    models: Path
    keep: int
    lock_seconds: float | None = None

    async def step(self) -> list[str]:
        """Remove some of the oldest models, and return their versions, the newest first; nothing when none is left.

        Takes the lock of `models.lock` only where there is something to remove. Raises OSError or UserError, when
        nothing was removed, and psycopg.Error.
        """
        async with self.transaction() as connection:
            if not await old_versions(connection, self.keep):
                return []
        async with self.transaction() as connection:
            await lock(connection, self.lock_seconds)
            await put_back(connection, self.models, pruned(self.models))
            hidden = await take_out(connection, self.models, self.keep, STEP)
        await asyncio.to_thread(remove, hidden)
        return [path.name for path in hidden]


async def old_versions(connection: Connection, keep: int) -> list[str]:
    """The versions of all models but those that `ModelPrune` keeps, the newest first."""
    now = await active(connection)
    version = now.version if now else None
    history = await activations(connection)
    # After a rollback, also keep the version that was active until then; `before` does not return it.
    kept = {version, before(history, version), *(each.previous_version for each in history[-1:])}
    return [model.version for model in (await all_models(connection))[keep:] if model.version not in kept]


async def take_out(connection: Connection, models: Path, keep: int, most: int | None = None) -> list[Path]:
    """Delete the rows of the `old_versions`, or of the oldest `most` of them, and hide their folders. Returns these,
    which the caller removes after its transaction is committed.

    Needs the lock of `models.lock`. When it raises OSError or UserError, every folder is back where it was.
    """
    now = await active(connection)
    # A wrong OUTPUT_PATH would delete rows and leave their folders in the right one.
    if not (version_folder(models, now.version) if now else models).is_dir():
        raise UserError(
            f"OUTPUT_PATH {models} does not have the active model: give the workers' OUTPUT_PATH."
        )
    old = await old_versions(connection, keep)
    folders = [version_folder(models, version) for version in old[-most if most else 0 :]]
    try:
        for folder in folders:
            await connection.execute(QUERIES["delete"], {"version": folder.name})
            _move(folder, models / PRUNED / folder.name)
        if folders:
            _sync(models)
    except BaseException:
        for folder in folders:
            _move(models / PRUNED / folder.name, folder)
        raise
    return [models / PRUNED / folder.name for folder in folders]


async def put_back(connection: Connection, models: Path, hidden: Sequence[Path]) -> None:
    """Move back those of the `hidden` folders that a killed prune hid without deleting their rows.

    Needs the lock of `models.lock`, which waits for a running prune.
    """
    known = await registered(connection, [path.name for path in hidden])
    for path in hidden:
        if path.name in known and not (models / path.name).exists():
            _move(path, models / path.name)


def remove(hidden: list[Path]) -> None:
    """Remove hidden folders; the next start of a worker tries those again that cannot be removed."""
    for path in hidden:
        shutil.rmtree(path, ignore_errors=True)


def pruned(models: Path) -> list[Path]:
    """The hidden folders of models that are pruned but not removed yet."""
    return sorted((models / PRUNED).glob("*"))


def _move(source: Path, target: Path) -> None:
    # The folder of an old row may already be missing.
    with contextlib.suppress(FileNotFoundError):
        target.parent.mkdir(exist_ok=True)
        source.rename(target)


def _sync(models: Path) -> None:
    sync(models)
    sync(models / PRUNED)
