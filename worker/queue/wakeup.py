"""Wakes a worker when a job is inserted: LISTEN where it can be had, polling always."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import psycopg
import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from worker.database.connection import KEEPALIVES
from worker.database.sql import load_queries
from worker.events import Event

QUERIES = load_queries(Path(__file__).with_name("wakeup.sql"))
PROBE_SECONDS = 15.0
ANSWER_SECONDS = 5.0

log = structlog.get_logger()


async def listen(conninfo: str, wake: asyncio.Event) -> None:
    """Set `wake` at every notification, for ever; reconnects by itself.

    `wake` is set after every (re)connection as well: what was inserted while nobody listened is found
    by the poll that follows.
    """
    retrying = AsyncRetrying(
        # A hot standby refuses LISTEN with an error of another kind.
        retry=retry_if_exception_type((psycopg.Error, TimeoutError)),
        wait=wait_random_exponential(multiplier=0.5, max=15),
        before_sleep=_log_first_failure,
    )
    while True:
        connection: psycopg.AsyncConnection[Any] = await retrying(_connect, conninfo)
        log.info(Event.LISTENING)
        with contextlib.suppress(psycopg.Error, TimeoutError):
            async with connection:
                wake.set()
                while True:
                    async for _ in connection.notifies(timeout=PROBE_SECONDS):
                        wake.set()
                    # A connection gone half-open says nothing; only a question finds out.
                    async with asyncio.timeout(ANSWER_SECONDS):
                        await connection.execute(QUERIES["probe"])
        log.warning(Event.LISTEN_LOST)


async def _connect(conninfo: str) -> psycopg.AsyncConnection[Any]:
    async with asyncio.timeout(ANSWER_SECONDS):
        connection = await psycopg.AsyncConnection.connect(conninfo, autocommit=True, **KEEPALIVES)
    await connection.execute(QUERIES["listen"])
    return connection


def _log_first_failure(state: RetryCallState) -> None:
    if state.attempt_number == 1 and state.outcome is not None:
        log.warning(Event.LISTEN_LOST, reason=str(state.outcome.exception()).strip())
