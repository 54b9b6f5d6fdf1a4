"""Removes, at a worker's start, what dead workers and prunes left below OUTPUT_PATH."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from worker.daemon.shutdown import Shutdown
from worker.database.connection import Database, database_time
from worker.errors import UserError
from worker.events import Event
from worker.queue import known
from worker.queue.jobs import Connection
from worker.registry.models import LOCK_SECONDS, lock, registered
from worker.registry.orphans import STEP, Ask, Known, remove_orphans
from worker.registry.prune import pruned, put_back

# Largest number of paths in a log line; with a wrong database, every folder is an orphan.
NAMED_ORPHANS = 20

log = structlog.get_logger()


@dataclass(frozen=True)
class Leftovers:
    """The folders in `models` that nobody needs any more."""

    models: Path
    database: Database
    shutdown: Shutdown

    async def remove(self) -> None:
        """Put back what a killed prune hid, then remove orphans until all are gone or a signal comes; log both.

        However many there are, no transaction is long. Raises UserError, or one of database.OUTAGE.
        """
        left: list[Path] = []
        try:
            await self._put_back()
            async with self.database.transaction() as connection:
                now = await database_time(connection)
            async for orphans in remove_orphans(self.models, now, self._known()):
                log_removed(orphans.removed)
                left += orphans.left
                if self.shutdown.asked.is_set():
                    break
        except PermissionError as error:
            raise UserError(
                f"OUTPUT_PATH {self.models} cannot be used: {error}. No job was claimed."
            ) from None
        if left:
            paths = [str(path) for path in left[:NAMED_ORPHANS]]
            log.warning(Event.ORPHANS_LEFT, count=len(left), paths=paths)

    async def _put_back(self) -> None:
        hidden = await asyncio.to_thread(pruned, self.models)
        ask = self._ask(registered)
        for start in range(0, len(hidden), STEP):
            some = hidden[start : start + STEP]
            names = await ask([path.name for path in some])
            if with_row := [path for path in some if path.name in names]:
                async with self.database.transaction() as connection:
                    # The lock waits for a running prune, which has deleted the rows when it ends.
                    await lock(connection, LOCK_SECONDS)
                    await put_back(connection, self.models, with_row)

    def _known(self) -> Known:
        return Known(
            held=self._ask(known.held),
            registered=self._ask(registered),
            ended_without_model=self._ask(known.ended_without_model),
            results=self._ask(known.results),
        )

    def _ask(self, question: Callable[[Connection, Sequence[str]], Awaitable[set[str]]]) -> Ask:
        """Have `question` asked in a transaction of its own."""

        async def ask(names: Sequence[str]) -> set[str]:
            if not names:
                return set()
            async with self.database.transaction() as connection:
                return await question(connection, names)

        return ask


def log_removed(paths: Sequence[Path]) -> None:
    """Log each removed folder."""
    for path in paths:
        log.info(Event.ORPHAN_REMOVED, path=str(path))
