"""What Postgres does to a connection of the daemon's, and whether that is told from a wrong statement."""

import time

import psycopg
import pytest

from worker.database.connection import OUTAGE, Database


async def test_a_transaction_in_which_the_worker_slept_is_an_outage_and_the_next_one_works(
    database: str,
) -> None:
    async with Database(database) as pool:
        with pytest.raises(OUTAGE) as ended:
            async with pool.transaction() as connection:
                await connection.execute("SET LOCAL idle_in_transaction_session_timeout = '50ms'")
                time.sleep(0.5)
                await connection.execute("SELECT 1")
        assert ended.type is psycopg.errors.IdleInTransactionSessionTimeout
        async with pool.transaction() as connection:
            assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
