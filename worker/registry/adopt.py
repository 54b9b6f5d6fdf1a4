"""Starts anew where the active model's files are lost for good: no model is active, so the next one will be."""

from pathlib import Path

from worker.errors import UserError
from worker.registry.live import OutputIncomplete, require_live
from worker.registry.models import Active, Connection, active, deactivate


async def lost(connection: Connection, models: Path) -> tuple[Active, str]:
    """The active model, and what it lacks. Raises UserError where it lacks nothing, or where `models` is no folder."""
    if not models.is_dir():
        raise UserError(
            f"OUTPUT_PATH {models} is no folder. Mount it, or create an empty one to start anew. Nothing was changed."
        )
    model = await active(connection)
    if model is None:
        raise UserError("No model is active, so the next one will be: there is nothing to give up.")
    try:
        require_live(models, model, contents=True)
    except OutputIncomplete as error:
        return model, error.fault
    raise UserError(f"The active model {model.version} is there: there is nothing to give up.")


async def adopt(connection: Connection, models: Path, who: str, reason: str | None) -> str:
    """Give up the active model, and return its version. Needs the lock of `models.lock`; raises UserError as `lost`."""
    model, fault = await lost(connection, models)
    await deactivate(connection, reason or f"It was given up: {fault}", who)
    return model.version
