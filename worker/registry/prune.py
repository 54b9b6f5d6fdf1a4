"""Removes old models: row and folder together, so that every row has its folder whatever breaks off.

The folder is renamed into `models/.pruned/` within the transaction that deletes its row. A prune that dies in
between leaves it there: it goes back where the row is still there, and is removed where it is not.
"""

import contextlib
import shutil
from pathlib import Path

from worker.errors import UserError
from worker.registry.activations import activations, before
from worker.registry.folder import sync
from worker.registry.models import QUERIES, Connection, active, all_models, is_registered
from worker.registry.verify import version_folder

PRUNED = ".pruned"


async def take_out(connection: Connection, models: Path, keep: int) -> list[Path]:
    """Delete the rows of all models but the newest `keep`, the active one and those before it, and hide their
    folders. Returns the hidden folders, which the caller removes after its transaction is committed.

    Needs the lock of `models.lock`. Raises OSError or UserError, with every folder where it was.
    """
    now = await active(connection)
    version = now.version if now else None
    # A wrong folder would cost rows, and leave the right one with folders that have none.
    if not (version_folder(models, version) if version else models).is_dir():
        raise UserError(
            f"OUTPUT_PATH {models} does not have the active model: give the workers' OUTPUT_PATH."
        )
    history = await activations(connection)
    # After a rollback, the one that was active until then is not the one to go back to.
    kept = {version, before(history, version), *(each.previous_version for each in history[-1:])}
    old = [model.version for model in (await all_models(connection))[keep:] if model.version not in kept]
    folders = [version_folder(models, version) for version in old]
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


async def put_back(connection: Connection, models: Path) -> None:
    """Put those folders back that a prune hid and did not live to delete the row of.

    Needs the lock of `models.lock`, which waits until a prune that lives is done.
    """
    for hidden in pruned(models):
        if await is_registered(connection, hidden.name) and not (models / hidden.name).exists():
            _move(hidden, models / hidden.name)


def remove(hidden: list[Path]) -> None:
    """Remove folders that nobody sees any more; what cannot be removed is left to a worker's start."""
    for path in hidden:
        shutil.rmtree(path, ignore_errors=True)


def pruned(models: Path) -> list[Path]:
    """The folders that prunes have hidden and not removed yet."""
    return sorted((models / PRUNED).glob("*"))


def _move(source: Path, target: Path) -> None:
    # A row may have lost its folder long ago.
    with contextlib.suppress(FileNotFoundError):
        target.parent.mkdir(exist_ok=True)
        source.rename(target)


def _sync(models: Path) -> None:
    sync(models)
    sync(models / PRUNED)
