"""The registry of published models: the rows of "ModelMetadata"."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.rows import class_row

from worker.database.sql import load_queries
from worker.database.storable import storable

QUERIES = load_queries(Path(__file__).with_name("models.sql"))

Connection = AsyncConnection[Any]

NOTES_LENGTH: Final = 1000


@dataclass(frozen=True)
class NewModel:
    """The values of a new row of "ModelMetadata"; `accuracy_metrics` is JSON of at most 2,000 characters,
    `notes` has at most NOTES_LENGTH."""

    version: str
    model_path: str
    accuracy_metrics: str
    photos: int
    products: int
    notes: str | None


@dataclass(frozen=True)
class Registered:
    """A row of "ModelMetadata"; `trained_at` is in ISO 8601, UTC.

    A backend may have written it, so `accuracy_metrics` can be anything.
    """

    version: str
    is_active: bool
    trained_at: str
    model_path: str
    accuracy_metrics: str | None
    photos: int
    products: int
    notes: str | None


@dataclass(frozen=True)
class Active:
    """Columns of the active model's row; `accuracy_metrics` as in `Registered`."""

    version: str
    accuracy_metrics: str | None


def accuracy_of(metrics: str | None) -> dict[str, Any] | None:
    """Parse the JSON object in "AccuracyMetrics"; return `None` where a backend has written something else."""
    try:
        value = json.loads(metrics or "null")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


async def lock(connection: Connection) -> None:
    """Wait for the lock on changes of models, and hold it until the caller's transaction ends."""
    await connection.execute(QUERIES["lock"])


async def register(connection: Connection, model: NewModel) -> None:
    """Insert the row of `model`, as not active."""
    await connection.execute(QUERIES["insert"], storable(connection, asdict(model), {"notes": NOTES_LENGTH}))


async def activate(connection: Connection, version: str, reason: str, who: str) -> str | None:
    """Activate a registered version and return the previously active one; locks as `lock` does.

    The transaction's commit writes `who` and `reason` to "ModelActivations".
    Raises psycopg.errors.NoDataFound where the version has no row.
    """
    values = storable(connection, {"version": version, "reason": reason, "who": who})
    cursor = await connection.execute(QUERIES["activate"], values)
    row = await cursor.fetchone()
    return row[0] if row else None


async def active(connection: Connection) -> Active | None:
    """Return the active model; `None` where there is none."""
    async with connection.cursor(row_factory=class_row(Active)) as cursor:
        await cursor.execute(QUERIES["active"])
        return await cursor.fetchone()


async def all_models(connection: Connection) -> list[Registered]:
    """Return every model that has a row, the newest first."""
    async with connection.cursor(row_factory=class_row(Registered)) as cursor:
        await cursor.execute(QUERIES["models"])
        return await cursor.fetchall()


async def is_registered(connection: Connection, version: str) -> bool:
    """Whether there is a row for `version`."""
    cursor = await connection.execute(QUERIES["is_registered"], {"version": version})
    return await cursor.fetchone() == (True,)
