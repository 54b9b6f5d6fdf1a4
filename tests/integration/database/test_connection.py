"""What Postgres does to a connection of the daemon's, and whether that is told from a wrong statement."""

import psycopg
import pytest

from tests.support.waiting import wait_until
from worker.database.connection import OUTAGE, Database


def has_ended(database: str, session: int) -> bool:
    with psycopg.connect(database) as other:
        query = "SELECT FROM pg_stat_activity WHERE pid = %s"
        return other.execute(query, (session,)).fetchone() is None


async def test_a_transaction_in_which_the_worker_slept_is_an_outage_and_the_next_one_works(
    database: str,
) -> None:
    async with Database(database) as pool:
        with pytest.raises(OUTAGE) as ended:
            async with pool.transaction() as connection:
                await connection.execute("SET LOCAL idle_in_transaction_session_timeout = '50ms'")
                # As one that was stopped, the worker does nothing meanwhile.
                wait_until(lambda: has_ended(database, connection.info.backend_pid), "the end of its session")
                await connection.execute("SELECT 1")
        assert ended.type is psycopg.errors.IdleInTransactionSessionTimeout
        async with pool.transaction() as connection:
            assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
