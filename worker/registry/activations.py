"""The history of the active model: the rows of "ModelActivations", which the database itself writes."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from worker.registry.models import QUERIES, Connection


@dataclass(frozen=True)
class Activation:
    """`version` replaced `previous_version` as the active model at `activated_at` (ISO 8601, UTC); `None` is no
    model."""

    version: str | None
    previous_version: str | None
    activated_by: str
    reason: str
    activated_at: str


async def activations(connection: Connection) -> list[Activation]:
    """Return every change of the active model, the oldest first."""
    async with connection.cursor(row_factory=class_row(Activation)) as cursor:
        await cursor.execute(QUERIES["activations"])
        return await cursor.fetchall()


def before(history: Sequence[Activation], active: str | None) -> str | None:
    """Return the version to roll back to from `active` (`None`: no active model); `None` where there is none.

    A rollback to a version discards all later ones: a second rollback goes one further back, and none leads
    to a discarded version.
    """
    versions: list[str] = []
    for version in (activation.version for activation in history):
        if version in versions:
            del versions[versions.index(version) + 1 :]
        elif version is not None:
            versions.append(version)
    return next((version for version in reversed(versions) if version != active), None)
