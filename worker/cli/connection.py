"""The connection of a command that asks or changes something and ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from worker.database.connection import LIMITS, PARAMETERS, QUERIES, Transaction
from worker.database.migrate import refuse_pending
from worker.registry.models import Connection
from worker.settings import DatabaseSettings


@asynccontextmanager
async def connected(settings: DatabaseSettings) -> AsyncIterator[Connection]:
    """A connection without an open transaction. Raises UserError where migrations are missing, or psycopg.Error."""
    refuse_pending(settings.database_url)
    async with await psycopg.AsyncConnection.connect(
        settings.database_url, autocommit=True, prepare_threshold=None, **PARAMETERS
    ) as connection:
        yield connection


def transactions(connection: Connection) -> Transaction:
    """Begins transactions with the limits of a worker's."""

    @asynccontextmanager
    async def transaction() -> AsyncIterator[Connection]:
        async with connection.transaction():
            await connection.execute(QUERIES["limit_transaction"], LIMITS)
            yield connection

    return transaction
