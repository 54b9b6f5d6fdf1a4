"""A database with other settings, another encoding or another schema than usual serves like any other."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.conftest import PostgresServer
from tests.support.in_process import publish_or_keep, work
from tests.support.shop import AS_WORKER, Shop
from tests.support.waiting import DEADLINE
from worker.catalogue.rows import read_catalogue
from worker.child.messages import Failed, Message
from worker.database.connection_string import to_conninfo
from worker.database.migrate import MIGRATIONS, migrate, refuse_pending
from worker.database.migration import MigrationError
from worker.errors import ErrorCode
from worker.job.job import Job
from worker.queue.wakeup import Wakeup

SETTINGS = {
    "intervalstyle": "iso_8601",
    "datestyle": "German, DMY",
    "timezone": "Asia/Kathmandu",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
}
MESSAGE = "“Käse” costs 3 €…"

Create = Callable[[str], str]


@pytest.fixture
def create(postgres_server: PostgresServer) -> Iterator[Create]:
    """Creates a database of an encoding."""
    names: list[str] = []

    def create(encoding: str) -> str:
        names.append(f"test_{secrets.token_hex(6)}")
        parts = sql.SQL("CREATE DATABASE {} ENCODING {} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
        with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
            connection.execute(parts.format(sql.Identifier(names[-1]), sql.Literal(encoding)))
        return postgres_server.url(names[-1])

    yield create
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        for name in names:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def fail_second(job: Job) -> list[Message | bytes]:
    if job.options.seed:
        return [Failed(ErrorCode.INSUFFICIENT_PHOTOS, MESSAGE)]
    return publish_or_keep(job)


async def succeed_and_fail(shop: Shop) -> str:
    """Have one job done and one fail, and return the message of the latter."""
    jobs: list[UUID] = [shop.insert_job(), shop.insert_job({"seed": 1})]
    await work(shop, fail_second)
    with shop.connect() as connection:
        query = 'SELECT "Status", "ErrorMessage" FROM "TrainingJobs" WHERE "Id" = %s'
        rows = [connection.execute(query, (job,)).fetchone() for job in jobs]
    assert [row["Status"] for row in rows if row] == ["Completed", "Failed"]
    return str(rows[1]["ErrorMessage"]) if rows[1] else ""


def set_in(database: str, values: dict[str, str]) -> None:
    name = sql.Identifier(str(conninfo_to_dict(database)["dbname"]))
    with psycopg.connect(database, autocommit=True) as connection:
        for setting, value in values.items():
            statement = sql.SQL("ALTER DATABASE {} SET {} = {}")
            connection.execute(statement.format(name, sql.Identifier(setting), sql.Literal(value)))


async def test_settings_of_a_database_change_nothing(database: str, tmp_path: Path) -> None:
    set_in(database, SETTINGS)
    shop = Shop(database, tmp_path / "storage", tmp_path / "models")
    assert await succeed_and_fail(shop) == MESSAGE
    with shop.connect() as connection:
        row = connection.execute(
            """UPDATE "ModelMetadata" SET "TrainedAt" = '-infinity' RETURNING "Version" """
        )
        [model] = row.fetchall()
    assert abs(int(model["Version"][1:11]) - time.time()) < 3600
    for command in (["list"], ["show", model["Version"]]):
        process = await asyncio.to_thread(shop.worker, "models", *command)
        said, _ = await asyncio.to_thread(process.communicate, timeout=DEADLINE)
        assert process.returncode == 0, said
        assert "-infinity" in said


async def test_what_a_database_cannot_hold_is_replaced(create: Create, tmp_path: Path) -> None:
    shop = Shop(create("LATIN1"), tmp_path / "storage", tmp_path / "models")
    migrate(shop.database, MIGRATIONS)
    assert await succeed_and_fail(shop) == "'Käse' costs 3 ?..."


def test_a_database_that_knows_no_letters_is_refused(create: Create) -> None:
    database = create("SQL_ASCII")
    for refuse in (lambda: migrate(database, MIGRATIONS), lambda: refuse_pending(database)):
        with pytest.raises(MigrationError, match="SQL_ASCII"):
            refuse()


def in_schema(database: str, kind: str) -> str:
    if kind == "libpq":
        return make_conninfo(database, options="-csearch_path=shop")
    parts = urlsplit(database)
    user, password, name = (unquote(part or "") for part in (parts.username, parts.password, parts.path[1:]))
    text = f'Host={parts.hostname};Port={parts.port};Database={name};Username={user};Password="{password}"'
    return to_conninfo(f"{text};Search Path=shop")


@pytest.mark.parametrize("kind", ["libpq", "Npgsql"])
async def test_another_schema_serves_also_a_backend_that_names_it(
    empty_database: str, tmp_path: Path, kind: str
) -> None:
    database = in_schema(empty_database, kind)
    with pytest.raises(MigrationError, match="search_path"):
        migrate(database, MIGRATIONS)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA shop")
    migrate(database, MIGRATIONS)
    shop = Shop(database, tmp_path / "storage", tmp_path / "models")
    await succeed_and_fail(shop)
    assert read_catalogue(database) == []
    with psycopg.connect(empty_database, autocommit=True) as connection:
        found = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        assert found == (0,)
        rows = connection.execute('SELECT "Id", "Status" FROM shop."TrainingJobs"').fetchall()
        jobs = {str(status): job for job, status in rows}
        # All that a backend calls, and every trigger, without the search_path.
        connection.execute("SELECT shop.retry_training_job(%s)", (jobs["Failed"],))
        connection.execute("SELECT shop.cancel_training_job(%s)", (jobs["Failed"],))
        connection.execute("""UPDATE shop."TrainingJobs" SET "Status" = 'Running'""")
        connection.execute("""UPDATE shop."ModelMetadata" SET "IsActive" = false""")
        connection.execute('SELECT shop.activate_model("Version") FROM shop."ModelMetadata"')
        rows = connection.execute('SELECT "Status" FROM shop."TrainingJobs" ORDER BY 1').fetchall()
        assert rows == [("Cancelled",), ("Completed",)]
        connection.execute(AS_WORKER)
        connection.execute("""UPDATE shop."TrainingJobs" SET "Priority" = 1""")


async def test_a_job_in_another_schema_is_heard_of(empty_database: str) -> None:
    database = in_schema(empty_database, "libpq")
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA shop")
        migrate(database, MIGRATIONS)
        wakeup = Wakeup(database)
        listener = asyncio.create_task(wakeup.listen())
        await asyncio.wait_for(wakeup.event.wait(), DEADLINE)
        wakeup.event.clear()
        connection.execute('INSERT INTO shop."TrainingJobs" DEFAULT VALUES')
        await asyncio.wait_for(wakeup.event.wait(), DEADLINE)
        listener.cancel()
