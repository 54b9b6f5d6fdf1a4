"""The registry of published models: the rows of "ModelMetadata"."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.rows import class_row

from worker.database.sql import load_queries
from worker.database.storable import storable
from worker.job.outcome import BY_PRODUCT_LEFT_OUT

QUERIES = load_queries(Path(__file__).with_name("models.sql"))

Connection = AsyncConnection[Any]

NOTES_LENGTH: Final = 1000
# The statements of others wait behind a lock that is waited for. A third of the shortest lease.
LOCK_SECONDS: Final = 1.0


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
    model_path: str
    accuracy_metrics: str | None

    @property
    def is_in_output(self) -> bool:
        """Whether the row says that the files are in OUTPUT_PATH, where this worker publishes; those of another program
        may be anywhere."""
        return self.model_path == path_of(self.version) and Path(self.version).name == self.version

    @property
    def is_ours(self) -> bool:
        """Whether this worker wrote the row: no other program writes these metrics."""
        return BY_PRODUCT_LEFT_OUT in (accuracy_of(self.accuracy_metrics) or {})


def path_of(version: str) -> str:
    """The "ModelPath" of a version that this worker publishes; `models` stands for OUTPUT_PATH."""
    return f"models/{version}"


def accuracy_of(metrics: str | None) -> dict[str, Any] | None:
    """Parse the JSON object in "AccuracyMetrics"; return `None` where a backend has written something else."""
    try:
        value = json.loads(metrics or "null")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


async def lock(connection: Connection, seconds: float | None = None) -> None:
    """Wait for the lock on changes of models, and hold it until the caller's transaction ends.

    With `seconds`, raises psycopg.errors.LockNotAvailable when another session has it for longer.
    """
    if seconds is None:
        await connection.execute(QUERIES["lock"])
    else:
        await connection.execute(QUERIES["limit_wait"], {"milliseconds": str(round(1000 * seconds))})
        await connection.execute(QUERIES["lock"])
        await connection.execute(QUERIES["limit_wait_no_more"])


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


async def deactivate(connection: Connection, reason: str, who: str) -> None:
    """Leave no model active; needs `lock`, and writes `who` and `reason` as `activate` does."""
    await connection.execute(QUERIES["tell"], storable(connection, {"reason": reason, "who": who}))
    await connection.execute(QUERIES["deactivate"])


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


async def registered(connection: Connection, versions: Sequence[str]) -> set[str]:
    """Those of `versions` that have a row."""
    cursor = await connection.execute(QUERIES["registered"], {"versions": list(versions)})
    return {version for (version,) in await cursor.fetchall()}


async def newest_version(connection: Connection) -> str | None:
    """The newest version that has a row."""
    cursor = await connection.execute(QUERIES["newest_version"])
    row = await cursor.fetchone()
    return row[0] if row else None


async def newest_activation(connection: Connection) -> str | None:
    """The newest version that was active once; the model itself may be gone."""
    cursor = await connection.execute(QUERIES["newest_activation"])
    row = await cursor.fetchone()
    return row[0] if row else None


async def knows_folders(connection: Connection) -> bool:
    """Whether a row, active or not, says that its files are in OUTPUT_PATH."""
    cursor = await connection.execute(QUERIES["knows_folders"])
    return await cursor.fetchone() == (True,)
