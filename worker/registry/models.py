"""The registry of published models: the rows of "ModelMetadata"."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection

from worker.database.sql import load_queries

QUERIES = load_queries(Path(__file__).with_name("models.sql"))


@dataclass(frozen=True)
class Model:
    """What a row of "ModelMetadata" says of a model; `accuracy_metrics` is JSON, at most 2,000 characters,
    `notes` at most 1,000."""

    version: str
    model_path: str
    accuracy_metrics: str
    photos: int
    products: int
    notes: str | None


async def lock(connection: AsyncConnection[Any]) -> None:
    """Wait for whoever is changing models, and let nobody else until the caller's transaction ends."""
    await connection.execute(QUERIES["lock"])


async def register_active(connection: AsyncConnection[Any], model: Model) -> None:
    """Add `model` and make it the active one, in the caller's transaction."""
    await lock(connection)
    await connection.execute(QUERIES["deactivate"])
    await connection.execute(QUERIES["insert_active"], asdict(model))


async def is_registered(connection: AsyncConnection[Any], version: str) -> bool:
    """Whether there is a row for `version`."""
    cursor = await connection.execute(QUERIES["is_registered"], {"version": version})
    return await cursor.fetchone() == (True,)
