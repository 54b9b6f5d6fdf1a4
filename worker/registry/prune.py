"""Removes old models: row and folder together, so that every row has its folder even after a crash.

The folder is renamed into `models/.pruned/` within the transaction that deletes its row. A killed prune leaves
it there: later it is moved back if its row still exists, and removed if not.
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
    """Delete the rows of all models but the newest `keep`, the active one and those to roll back to, and hide
    their folders. Returns the hidden folders, which the caller removes after its transaction is committed.

    Needs the lock of `models.lock`. When it raises OSError or UserError, every folder is back where it was.
    """
    now = await active(connection)
    version = now.version if now else None
    # A wrong OUTPUT_PATH would delete rows and leave their folders in the right one.
    if not (version_folder(models, version) if version else models).is_dir():
        raise UserError(
            f"OUTPUT_PATH {models} does not have the active model: give the workers' OUTPUT_PATH."
        )
    history = await activations(connection)
    # After a rollback, also keep the version that was active until then; `before` does not return it.
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
    """Move back the folders that a killed prune hid without deleting their rows.

    Needs the lock of `models.lock`, which waits for a running prune.
    """
    for hidden in pruned(models):
        if await is_registered(connection, hidden.name) and not (models / hidden.name).exists():
            _move(hidden, models / hidden.name)


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
