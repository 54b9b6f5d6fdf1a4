"""Wakes the worker when a job is inserted: by LISTEN, in addition to the worker's polling."""

import asyncio
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import structlog

from worker.database.connection import PARAMETERS
from worker.database.first_connection import cause_of
from worker.database.sql import load_queries
from worker.events import Event
from worker.queue.retry import RECONNECT

PROBE_SECONDS = 15.0
ANSWER_SECONDS = 5.0
# All of psycopg's errors: a hot standby refuses LISTEN with one that is not a connection error.
LOST = (psycopg.Error, TimeoutError)

QUERIES = load_queries(Path(__file__).with_name("wakeup.sql"))
log = structlog.get_logger()


class Wakeup:
    """Sets `event` at every notification and every (re)connection, for the poll that follows finds the jobs that
    were inserted without a listener; and when a connection is lost, for that poll finds out whether Postgres is."""

    def __init__(self, conninfo: str) -> None:
        self.event = asyncio.Event()
        self._conninfo = conninfo
        self._lost = False

    async def listen(self) -> NoReturn:
        """Listen for ever, with reconnects; logs when it starts and when it is interrupted."""
        failures = 0
        while True:
            try:
                async with await self._connect() as connection:
                    failures = 0
                    await self._receive(connection)
            except LOST as error:
                self._log_lost(error)
                failures += 1
                await asyncio.sleep(RECONNECT.seconds(failures))

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        async with asyncio.timeout(ANSWER_SECONDS):
            connection = await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True, **PARAMETERS)
            await connection.execute(QUERIES["listen"])
        self._lost = False
        log.info(Event.LISTENING)
        return connection

    async def _receive(self, connection: psycopg.AsyncConnection[Any]) -> NoReturn:
        self.event.set()
        while True:
            async for _ in connection.notifies(timeout=PROBE_SECONDS):
                self.event.set()
            # Only a query detects a half-open connection.
            async with asyncio.timeout(ANSWER_SECONDS):
                await connection.execute(QUERIES["probe"])

    def _log_lost(self, error: Exception) -> None:
        if not self._lost:
            self._lost = True
            log.warning(Event.LISTEN_LOST, reason=cause_of(error))
            # Is the whole server lost? The next poll may be an hour away.
            self.event.set()
