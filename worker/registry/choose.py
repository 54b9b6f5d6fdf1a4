"""Activates a model by hand: a given version, or the previous one; first verifies its files.

Both need the lock of `models.lock`, so that the verified model is the one that becomes active.
"""

from pathlib import Path

from worker.errors import UserError
from worker.registry.activations import activations, before
from worker.registry.models import Connection, activate, active, registered
from worker.registry.verify import verify, version_folder


async def choose(
    connection: Connection, models: Path, version: str, who: str, reason: str | None
) -> str | None:
    """Activate `version` and return the previously active version.

    Raises UserError where `version` has no row, or its files are incomplete or changed.
    """
    if not await registered(connection, [version]):
        raise unknown(version)
    verify(version_folder(models, version))
    return await activate(connection, version, reason or "It was chosen by hand.", who)


async def go_back(
    connection: Connection, models: Path, who: str, reason: str | None
) -> tuple[str, str | None]:
    """Roll back to the previously active model; return its version, then the version that it replaced.

    Raises UserError where there is none, its row is gone, or its files are incomplete or changed.
    """
    model = await active(connection)
    now = model.version if model else None
    version = before(await activations(connection), now)
    if version is None:
        raise UserError("No model was active before this one: choose one with `worker models activate`.")
    if not await registered(connection, [version]):
        raise UserError(
            f"{version}, which was active before, has no row any more: "
            "choose another one with `worker models activate`."
        )
    reason = reason or f"Gone back from {now or 'no model'}."
    return version, await choose(connection, models, version, who, reason)


def unknown(version: str) -> UserError:
    """The error for a version that has no row."""
    return UserError(
        f'There is no model {version} in "ModelMetadata"; `worker models list` shows those there are.'
    )
