"""Wakes a worker when a job is inserted: LISTEN where it can be had, polling always."""

import asyncio
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from worker.database.connection import KEEPALIVES
from worker.database.sql import load_queries
from worker.events import Event

PROBE_SECONDS = 15.0
ANSWER_SECONDS = 5.0
# A hot standby refuses LISTEN with an error that is none of a connection's.
LOST = (psycopg.Error, TimeoutError)

QUERIES = load_queries(Path(__file__).with_name("wakeup.sql"))
log = structlog.get_logger()


class Wakeup:
    """Sets `event` at every notification, and after every (re)connection: what was inserted while nobody
    listened is found by the poll that follows."""

    def __init__(self, conninfo: str) -> None:
        self.event = asyncio.Event()
        self._conninfo = conninfo
        self._lost = False

    async def listen(self) -> NoReturn:
        """Listen for ever; reconnects by itself, and says so when it begins and when it is cut off."""
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(LOST), wait=wait_random_exponential(multiplier=0.5, max=5)
        )
        while True:
            connection: psycopg.AsyncConnection[Any] = await retrying(self._connect)
            try:
                async with connection:
                    await self._receive(connection)
            except LOST as error:
                self._log_lost(error)

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                connection = await psycopg.AsyncConnection.connect(
                    self._conninfo, autocommit=True, **KEEPALIVES
                )
                await connection.execute(QUERIES["listen"])
        except LOST as error:
            self._log_lost(error)
            raise
        self._lost = False
        log.info(Event.LISTENING)
        return connection

    async def _receive(self, connection: psycopg.AsyncConnection[Any]) -> NoReturn:
        self.event.set()
        while True:
            async for _ in connection.notifies(timeout=PROBE_SECONDS):
                self.event.set()
            # A connection gone half-open says nothing; only a question finds out.
            async with asyncio.timeout(ANSWER_SECONDS):
                await connection.execute(QUERIES["probe"])

    def _log_lost(self, error: Exception) -> None:
        if not self._lost:
            self._lost = True
            log.warning(Event.LISTEN_LOST, reason=str(error).strip() or type(error).__name__)
