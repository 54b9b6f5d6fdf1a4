"""Watches the folder with the active model: while it is not whole, this worker claims no job."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from worker.daemon.answer import ask, has_answered
from worker.database.connection import Database
from worker.events import Event
from worker.registry.live import OutputIncomplete, require_output
from worker.registry.models import active, knows_folders

log = structlog.get_logger()


class Output:
    """The folder OUTPUT_PATH; `fault` says why no job can be claimed, and is empty while jobs can be."""

    def __init__(self, models: Path) -> None:
        self.models = models
        self.fault = ""
        self._read: str | None = None
        self._asked: asyncio.Future[None] | None = None

    async def require(self, database: Database) -> None:
        """Look whether the active model is whole, and log a change.

        Its files are read at the first look and after `read_again`; their sizes are compared each time.
        Raises OutputIncomplete, also where the folder does not answer, or one of database.OUTAGE.
        """
        async with database.transaction() as connection:
            model, known = await active(connection), await knows_folders(connection)
        version = model.version if model else None
        contents = version != self._read
        try:
            await self._answered(lambda: require_output(self.models, model, known=known, contents=contents))
        except OutputIncomplete as error:
            if str(error) != self.fault:
                log.warning(Event.OUTPUT_INCOMPLETE, reason=str(error))
            self.fault, self._read = str(error), None
            raise
        if self.fault:
            log.info(Event.OUTPUT_COMPLETE, version=version)
        self.fault, self._read = "", version

    def read_again(self) -> None:
        """Have the next look read the files: a job may have found that they changed."""
        self._read = None

    async def _answered(self, look: Callable[[], None]) -> None:
        if self._asked:
            # For an earlier look, which hung; until it is back, no other thread is sent after it.
            await has_answered(self._asked, self.models)
            self._asked.exception()
        self._asked = ask(look)
        await has_answered(self._asked, self.models)
        answered, self._asked = self._asked, None
        answered.result()
