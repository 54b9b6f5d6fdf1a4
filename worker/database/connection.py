"""The daemon's connections: short transactions, and one log line when Postgres is lost and one when it is back."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import structlog
from psycopg.errors import (
    DeadlockDetected,
    IdleInTransactionSessionTimeout,
    LockNotAvailable,
    ProgramLimitExceeded,
    ReadOnlySqlTransaction,
)
from psycopg_pool import AsyncConnectionPool

from worker.database.sql import load_queries
from worker.events import Event

# The errors that mean a lost server or connection, not a wrong statement.
OUTAGE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    IdleInTransactionSessionTimeout,
    ReadOnlySqlTransaction,
    TimeoutError,
)

# Those of them that mean that another session is in the way, on a server that is well.
LOCKED = (LockNotAvailable, DeadlockDetected)

CONNECT_SECONDS = 5
TRANSACTION_SECONDS = 10
# Of every connection, whatever the connection string says. The kernel detects a half-open connection after about
# 20 s; its default is 15 min.
PARAMETERS: dict[str, Any] = {
    "client_encoding": "UTF8",
    "connect_timeout": CONNECT_SECONDS,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}

QUERIES = load_queries(Path(__file__).with_suffix(".sql"))
LIMITS = {"milliseconds": str(1000 * TRANSACTION_SECONDS)}

Transaction = Callable[[], AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]]
"""Begins a short transaction on some connection, which commits at its end."""

log = structlog.get_logger()


def is_outage(error: BaseException) -> bool:
    """Whether an error means a lost server or connection; a row that is too large for an index does not."""
    return isinstance(error, OUTAGE) and not isinstance(error, ProgramLimitExceeded)


class Database:
    """Transactions on a small pool; an async context manager."""

    def __init__(self, conninfo: str) -> None:
        # Our events already report what psycopg's own loggers would log.
        logging.getLogger("psycopg").setLevel(logging.CRITICAL)
        self._pool = AsyncConnectionPool(
            conninfo,
            min_size=1,
            max_size=2,
            open=False,
            timeout=CONNECT_SECONDS,
            # The pool doubles its pauses between attempts; after a short timeout, our next query starts it afresh.
            reconnect_timeout=2,
            check=AsyncConnectionPool.check_connection,
            # Statements are not prepared: a pooler in transaction mode would mix them up.
            kwargs=PARAMETERS | {"prepare_threshold": None},
        )
        self._lost = False

    async def __aenter__(self) -> "Database":
        await self._pool.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close(timeout=1)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """A connection in a transaction that commits at the end.

        Raises one of `OUTAGE` when Postgres is lost, of `LOCKED` when another session is in the way, another
        psycopg.Error for a statement that Postgres refuses.
        """
        try:
            async with asyncio.timeout(TRANSACTION_SECONDS), self._pool.connection() as connection:
                try:
                    limited = await connection.execute(QUERIES["limit_transaction"], LIMITS)
                    if await limited.fetchone() == (True,):
                        raise ReadOnlySqlTransaction(
                            "The server takes no writes: it is a standby, or read-only."
                        )
                    yield connection
                except LOCKED:
                    raise
                except (*OUTAGE, asyncio.CancelledError):
                    # Its state and its server are unknown: the pool must open a new one.
                    await connection.close()
                    raise
        except ProgramLimitExceeded as error:
            raise psycopg.DataError(str(error).strip()) from error
        except LOCKED:
            raise
        except OUTAGE as error:
            self._log_lost(error)
            raise
        if self._lost:
            self._lost = False
            log.info(Event.DATABASE_BACK)

    def _log_lost(self, error: Exception) -> None:
        if not self._lost:
            self._lost = True
            log.warning(Event.DATABASE_LOST, reason=str(error).strip() or type(error).__name__)


async def database_time(connection: psycopg.AsyncConnection[Any]) -> datetime:
    """When the transaction began, by the database's clock."""
    row = await (await connection.execute(QUERIES["now"])).fetchone()
    assert row
    return datetime.fromtimestamp(float(row[0]), UTC)
