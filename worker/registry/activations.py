"""The audit of the active model: the rows of "ModelActivations", which the database itself writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from worker.registry.models import QUERIES, Connection


@dataclass(frozen=True)
class Activation:
    """From `activated_at` on `version` was the active model instead of `previous_version`; `None` is no model."""

    version: str | None
    previous_version: str | None
    activated_by: str
    reason: str
    activated_at: datetime


async def activations(connection: Connection) -> list[Activation]:
    """Every change of the active model, the oldest first."""
    async with connection.cursor(row_factory=class_row(Activation)) as cursor:
        await cursor.execute(QUERIES["activations"])
        return await cursor.fetchall()


def before(history: Sequence[Activation], active: str | None) -> str | None:
    """The version to go back to from `active`, which may be no model; `None` where there is none.

    To go back to a version takes back all that came after it: a second step goes one further, and none leads
    to a model that was gone back from.
    """
    versions: list[str] = []
    for version in (activation.version for activation in history):
        if version in versions:
            del versions[versions.index(version) + 1 :]
        elif version is not None:
            versions.append(version)
    return next((version for version in reversed(versions) if version != active), None)
