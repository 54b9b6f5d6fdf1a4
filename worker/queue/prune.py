"""Removes the rows of jobs that ended long ago: some in each of many short transactions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import psycopg
from psycopg.errors import InsufficientPrivilege

from worker.database.connection import Transaction, is_outage
from worker.database.storable import said
from worker.queue.jobs import QUERIES, Connection

STEP: Final = 200
"""Most rows of a step, which takes milliseconds."""
MOST_REFUSED: Final = 1000
"""With more of them it is not the rows."""

NOT_REMOVED: Final = "A trigger keeps the row, without an error."


@dataclass(frozen=True)
class JobPrune:
    """Removes the jobs that ended more than `days` ago.

    `refused` are jobs that a constraint or trigger of the backend keeps, with its reason: they are not tried again.
    """

    transaction: Transaction
    days: float
    refused: dict[UUID, str] = field(default_factory=dict, compare=False)

    async def step(self) -> list[UUID] | None:
        """Remove some of the oldest jobs and return their ids; `None` when there is nothing more to do.

        Several workers may do so at once: each takes what no other has locked. Raises psycopg.Error.
        """
        if len(self.refused) >= MOST_REFUSED:
            return None
        found: list[UUID] = []
        try:
            async with self.transaction() as connection:
                found = await self._find(connection)
                return await self._remove(connection, found) if found else None
        except psycopg.Error as error:
            if is_outage(error) or isinstance(error, InsufficientPrivilege) or not found:
                raise
        return [job for job in found if await self._remove_one(job)]

    async def _remove_one(self, job: UUID) -> bool:
        try:
            async with self.transaction() as connection:
                return bool(await self._remove(connection, [job]))
        except psycopg.Error as error:
            if is_outage(error):
                raise
            self.refused[job] = said(error)
            return False

    async def _find(self, connection: Connection) -> list[UUID]:
        values = {"seconds": 24 * 3600 * self.days, "refused": list(self.refused), "most": STEP}
        cursor = await connection.execute(QUERIES["prunable"], values)
        return [job for (job,) in await cursor.fetchall()]

    async def _remove(self, connection: Connection, jobs: Sequence[UUID]) -> list[UUID]:
        cursor = await connection.execute(QUERIES["prune"], {"job_ids": list(jobs)})
        removed = [job for (job,) in await cursor.fetchall()]
        self.refused.update(dict.fromkeys(set(jobs) - set(removed), NOT_REMOVED))
        return removed
