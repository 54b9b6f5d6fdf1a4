"""A server that refuses a user, password or database ends the start with the reason, in any language."""

import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.conftest import PostgresServer
from worker.database import connection
from worker.database.connection import Database
from worker.database.first_connection import DatabaseUnusable, FirstConnection
from worker.database.sqlstate import refusals


@pytest.fixture
def role(postgres_server: PostgresServer) -> Iterator[str]:
    """The name of a new role, whose password is `right`."""
    name = f"test_{secrets.token_hex(6)}"
    execute(postgres_server, "CREATE ROLE {} LOGIN PASSWORD 'right'", name)
    yield name
    execute(postgres_server, "DROP ROLE {}", name)


def execute(server: PostgresServer, statement: str, name: str) -> None:
    with psycopg.connect(server.url(), autocommit=True) as session:
        session.execute(sql.SQL(statement).format(sql.Identifier(name)))


def as_role(server: PostgresServer, role: str, **others: str) -> str:
    return make_conninfo(server.url(), **({"user": role, "password": "right"} | others))


@pytest.mark.parametrize(
    ("given", "state", "says"),
    [
        ({"password": "wrong"}, "28P01", "password authentication failed"),
        ({"dbname": "no_such_database"}, "3D000", "no_such_database"),
    ],
)
async def test_a_wrong_password_or_database_ends_the_start(
    postgres_server: PostgresServer, role: str, given: dict[str, str], state: str, says: str
) -> None:
    conninfo = as_role(postgres_server, role, **given)
    assert refusals(conninfo, 5) == {state}
    with pytest.raises(DatabaseUnusable, match=f"the database cannot be used: connection failed: .*{says}"):
        await FirstConnection(conninfo, 5).open()


async def test_a_role_that_may_not_log_in_ends_the_start(postgres_server: PostgresServer, role: str) -> None:
    execute(postgres_server, "ALTER ROLE {} NOLOGIN", role)
    conninfo = as_role(postgres_server, role)
    assert refusals(conninfo, 5) == {"28000"}
    with pytest.raises(DatabaseUnusable):
        await FirstConnection(conninfo, 5).open()


async def test_what_works_is_refused_by_nothing(postgres_server: PostgresServer, role: str) -> None:
    assert refusals(as_role(postgres_server, role), 5) == set()
    await FirstConnection(as_role(postgres_server, role), 5).open()


async def test_a_server_with_no_room_for_one_more_is_an_outage(
    postgres_server: PostgresServer, role: str
) -> None:
    execute(postgres_server, "ALTER ROLE {} CONNECTION LIMIT 0", role)
    with pytest.raises(psycopg.OperationalError, match="too many connections"):
        await FirstConnection(as_role(postgres_server, role), 5).open()


async def test_a_password_that_changes_later_is_an_outage_with_its_cause(
    postgres_server: PostgresServer, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 1)
    name = str(conninfo_to_dict(postgres_server.url())["dbname"])
    async with Database(as_role(postgres_server, role, dbname=name)) as database:
        await database.meet()
        async with database.transaction():
            pass
        execute(postgres_server, "ALTER ROLE {} PASSWORD 'another'", role)
        with psycopg.connect(postgres_server.url(), autocommit=True) as other:
            query = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = %s"
            other.execute(query, (role,))
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            async with database.transaction():
                pass
        assert database.outage.seconds > 0
        await database.meet()
