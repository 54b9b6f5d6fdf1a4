"""Watches the folder with the active model: while it is not whole, this worker claims no job."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Thread

import structlog

from worker.database.connection import Database
from worker.events import Event
from worker.registry.live import OutputIncomplete, require_output
from worker.registry.models import active, knows_folders

# Within which a file system must answer: the files of a model have some ten megabytes.
ANSWER_SECONDS = 30.0

log = structlog.get_logger()


class Output:
    """The folder OUTPUT_PATH; `fault` says why no job can be claimed, and is empty while jobs can be."""

    def __init__(self, models: Path) -> None:
        self.models = models
        self.fault = ""
        self._read: str | None = None
        self._sent: asyncio.Future[None] | None = None

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
        """Have a thread look, because a network's file system may keep it waiting, for ever if its server is gone."""
        if self._sent:
            await (
                self._answer()
            )  # to an earlier question; until it is there, no other thread is sent after it
        self._sent = _in_thread(look)
        if error := await self._answer():
            raise error

    async def _answer(self) -> BaseException | None:
        """What the thread that was sent has raised. Raises OutputIncomplete where it does not come back."""
        assert self._sent
        answered, _ = await asyncio.wait({self._sent}, timeout=ANSWER_SECONDS)
        if not answered:
            fault = f"OUTPUT_PATH {self.models} has not answered for {ANSWER_SECONDS:g} seconds."
            raise OutputIncomplete(f"{fault} Is the server there that it is mounted from?", fault)
        answer, self._sent = self._sent, None
        return answer.exception()


def _in_thread(look: Callable[[], None]) -> asyncio.Future[None]:
    """Call `look` in a thread for which nobody waits at the end of the process."""
    outcome: Future[None] = Future()
    outcome.set_running_or_notify_cancel()

    def run() -> None:
        try:
            outcome.set_result(look())
        except BaseException as error:
            outcome.set_exception(error)

    Thread(target=run, name="output", daemon=True).start()
    return asyncio.wrap_future(outcome)
