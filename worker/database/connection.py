"""The daemon's connections: short transactions, which tell a lost server from a wrong statement."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.errors import (
    DeadlockDetected,
    IdleInTransactionSessionTimeout,
    LockNotAvailable,
    ProgramLimitExceeded,
    ReadOnlySqlTransaction,
)
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from worker.database.first_connection import FirstConnection, cause_of
from worker.database.outage import Outage
from worker.database.sql import load_queries

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


def is_outage(error: BaseException) -> bool:
    """Whether an error means a lost server or connection; a row that is too large for an index does not."""
    return isinstance(error, OUTAGE) and not isinstance(error, ProgramLimitExceeded)


def with_limits(conninfo: str) -> str:
    """A connection string with `PARAMETERS`."""
    return make_conninfo(conninfo, **PARAMETERS)


class Database:
    """Transactions on a small pool; an async context manager. `met` is set once the server has answered."""

    def __init__(self, conninfo: str) -> None:
        self.outage = Outage()
        self.met = asyncio.Event()
        self._first = FirstConnection(with_limits(conninfo), CONNECT_SECONDS)
        # Why the pool has no connection, which its own error does not say.
        self._refused: psycopg.Error | None = None
        # Our events already report what psycopg's own loggers would log.
        logging.getLogger("psycopg").setLevel(logging.CRITICAL)
        self._pool = AsyncConnectionPool(
            conninfo,
            connection_class=_remembering(self._remember),
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

    async def __aenter__(self) -> "Database":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close(timeout=1)

    async def meet(self) -> None:
        """Connect for the first time; does nothing after that.

        Raises DatabaseUnusable where waiting would not help, one of `OUTAGE` where it would.
        """
        if not self.met.is_set():
            try:
                await self._first.open()
            except OUTAGE as error:
                self.outage.goes_on(cause_of(error))
                raise
            self.met.set()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """A connection in a transaction that commits at the end.

        Raises one of `OUTAGE` when Postgres is lost, of `LOCKED` when another session is in the way, another
        psycopg.Error for a statement that Postgres refuses.
        """
        await self._pool.open()
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
        except PoolTimeout as error:
            cause = cause_of(self._refused or error)
            self.outage.goes_on(cause)
            raise psycopg.OperationalError(cause) from None
        except OUTAGE as error:
            self.outage.goes_on(cause_of(error))
            raise
        self._refused = None
        self.outage.is_over()

    def _remember(self, error: psycopg.Error) -> None:
        self._refused = error


def _remembering(remember: Callable[[psycopg.Error], None]) -> type[psycopg.AsyncConnection[Any]]:
    """Connections that tell why they could not be made."""

    class Remembering(psycopg.AsyncConnection[Any]):
        @classmethod
        async def connect(cls, conninfo: str = "", **parameters: Any) -> Self:
            try:
                return await super().connect(conninfo, **parameters)
            except psycopg.Error as error:
                remember(error)
                raise

    return Remembering


async def database_time(connection: psycopg.AsyncConnection[Any]) -> datetime:
    """When the transaction began, by the database's clock."""
    row = await (await connection.execute(QUERIES["now"])).fetchone()
    assert row
    return datetime.fromtimestamp(float(row[0]), UTC)
