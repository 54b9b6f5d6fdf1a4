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
from worker.registry.verify import place_of

PRUNED = ".pruned"


async def take_out(connection: Connection, folder: Path, keep: int) -> list[Path]:
    """Delete the rows of all models but the newest `keep`, the active one and those before it, and hide their
    folders, whose new places it gives: those are to be removed once the caller's transaction is committed.

    Needs the lock of `models.lock`. Raises OSError or UserError, with every folder where it was.
    """
    now = await active(connection)
    version = now.version if now else None
    # A wrong folder would cost rows, and leave the right one with folders that have none.
    if not (place_of(folder, version) if version else folder).is_dir():
        raise UserError(
            f"OUTPUT_PATH {folder} does not have the active model: give the workers' OUTPUT_PATH."
        )
    history = await activations(connection)
    # After a rollback, the one that was active until then is not the one to go back to.
    kept = {version, before(history, version), *(each.previous_version for each in history[-1:])}
    old = [model.version for model in (await all_models(connection))[keep:] if model.version not in kept]
    places = [place_of(folder, version) for version in old]
    try:
        for place in places:
            await connection.execute(QUERIES["delete"], {"version": place.name})
            _move(place, folder / PRUNED / place.name)
        if places:
            _sync(folder)
    except BaseException:
        for place in places:
            _move(folder / PRUNED / place.name, place)
        raise
    return [folder / PRUNED / place.name for place in places]


async def put_back(connection: Connection, folder: Path) -> None:
    """Put those folders back that a prune hid and did not live to delete the row of.

    Needs the lock of `models.lock`, which waits until a prune that lives is done.
    """
    for hidden in pruned(folder):
        if await is_registered(connection, hidden.name) and not (folder / hidden.name).exists():
            _move(hidden, folder / hidden.name)


def remove(hidden: list[Path]) -> None:
    """Remove folders that nobody sees any more; what cannot be removed is left to a worker's start."""
    for path in hidden:
        shutil.rmtree(path, ignore_errors=True)


def pruned(folder: Path) -> list[Path]:
    """The folders that prunes have hidden and not removed yet."""
    return sorted((folder / PRUNED).glob("*"))


def _move(place: Path, target: Path) -> None:
    # A row may have lost its folder long ago.
    with contextlib.suppress(FileNotFoundError):
        target.parent.mkdir(exist_ok=True)
        place.rename(target)


def _sync(folder: Path) -> None:
    sync(folder)
    sync(folder / PRUNED)
