"""The role of a worker: it can do a worker's work, and nothing else."""

import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.errors import InsufficientPrivilege

from tests.support.in_process import work
from tests.support.shop import ROOT, Shop
from worker.catalogue.rows import read_catalogue
from worker.database.grants import GrantError, grant
from worker.database.migrate import refuse_pending
from worker.database.sql import load_queries

# A worker that runs only asks whether these were applied.
OF_THE_MIGRATOR = {"migrate.sql", "grants.sql"}
CAN_BE_EXPLAINED = (b"SELECT", b"INSERT", b"UPDATE", b"DELETE", b"WITH")

# What a cautious administrator takes away from everybody.
HARDENED = """
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
    REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;
    REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
    CREATE TABLE "Customers" ("Email" text)
"""
FORBIDDEN = [
    'SELECT * FROM "Customers"',
    'SELECT "CreatedAt" FROM "Products"',
    'SELECT * FROM "ProductPhotos"',
    'UPDATE "Products" SET "Name" = \'\'',
    'DELETE FROM "ProductPhotos"',
    'INSERT INTO "TrainingJobs" DEFAULT VALUES',
    'UPDATE "TrainingJobs" SET "Options" = \'{}\'',
    'UPDATE "TrainingJobs" SET "CancelRequestedAt" = now()',
    'TRUNCATE "TrainingJobs"',
    'ALTER TABLE "TrainingJobs" DISABLE TRIGGER ALL',
    'UPDATE "ModelMetadata" SET "ModelPath" = \'\'',
    'INSERT INTO "ModelActivations" ("ActivatedBy", "Reason") VALUES (\'\', \'\')',
    'DELETE FROM "ModelActivations"',
    'DELETE FROM "TrainingMigrations"',
    'DELETE FROM "WorkerMigrations"',
    "CREATE TABLE mine ()",
    'DROP TABLE "Products"',
    "SET session_replication_role = replica",
    "CREATE ROLE another",
]


@pytest.fixture
def role(empty_database: str) -> Iterator[str]:
    """A name that no role has yet; one that was made goes with its rights."""
    name = f"worker_{secrets.token_hex(6)}"
    yield name
    with psycopg.connect(empty_database, autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (name,)).fetchone() is not None:
            for statement in ("DROP OWNED BY {}", "DROP ROLE {}"):
                connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


@pytest.fixture
def hardened(database: str) -> str:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(HARDENED)
        statement = sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC")
        connection.execute(statement.format(sql.Identifier(connection.info.dbname)))
    return database


def log_in(database: str, role: str) -> str:
    """The connection string of `role`, which gets a password."""
    password = secrets.token_hex(8)
    with psycopg.connect(database, autocommit=True) as connection:
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
        connection.execute(statement.format(sql.Identifier(role), sql.Literal(password)))
    return make_conninfo(database, user=role, password=password)


def create(database: str, role: str) -> str:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
    return log_in(database, role)


async def test_a_whole_job_is_done_with_it_and_what_is_not_a_worker_s_is_refused(
    hardened: str, role: str, tmp_path: Path
) -> None:
    assert grant(hardened, role).created
    shop = Shop(hardened, tmp_path / "storage", tmp_path / "models")
    jobs = [shop.insert_job(), shop.insert_job()]
    worker = Shop(log_in(hardened, role), shop.storage, shop.models)
    refuse_pending(worker.database)
    await work(worker)
    assert read_catalogue(worker.database) == []
    assert [shop.job(job)["Status"] for job in jobs] == ["Completed"] * 2
    assert [model["IsActive"] for model in shop.models_in_database()] == [True]

    with psycopg.connect(worker.database, autocommit=True) as connection:
        for statement in FORBIDDEN:
            with pytest.raises(InsufficientPrivilege):
                connection.execute(statement.encode())
                pytest.fail(f"The role may {statement}")


def test_it_may_execute_every_statement_of_a_worker(hardened: str, role: str) -> None:
    grant(hardened, role)
    paths = [path for path in (ROOT / "worker").rglob("*.sql") if path.name not in OF_THE_MIGRATOR]
    statements = [(path.name, name, text) for path in paths for name, text in load_queries(path).items()]
    assert len(statements) > 20
    with psycopg.connect(log_in(hardened, role), autocommit=True) as connection:
        for file, name, text in statements:
            without_values = re.sub(rb"%\(\w+\)s", b"NULL", text).replace(b"%%", b"%")
            explain = b"EXPLAIN " if text.startswith(CAN_BE_EXPLAINED) else b""
            try:
                with connection.transaction(force_rollback=True):
                    connection.execute(explain + without_values)
            except InsufficientPrivilege as error:
                pytest.fail(f"{file}, {name}: {error}. Add what it needs to grants.sql and docs/running.md.")


def test_again_changes_nothing_and_gives_only_what_is_missing(database: str, role: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        granted = list(threads.map(grant, [database] * 4, [role] * 4))
    assert [each.created for each in granted].count(True) == 1
    assert [bool(each.statements) for each in granted].count(True) == 1
    assert not grant(database, role).statements
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(sql.SQL('REVOKE UPDATE ON "TrainingJobs" FROM {}').format(sql.Identifier(role)))
        connection.execute(
            sql.SQL('GRANT UPDATE ("Status") ON "TrainingJobs" TO {}').format(sql.Identifier(role))
        )
    again = grant(database, role)
    assert not again.created
    [statement] = again.statements
    assert statement.startswith('GRANT UPDATE ("ProgressPercentage", ')
    assert statement.endswith(f'ON "TrainingJobs" TO {role}')


def test_the_document_gives_the_same(hardened: str, role: str) -> None:
    """The names in the document are those of the compose file."""
    text = (ROOT / "docs" / "running.md").read_text()
    [documented] = re.findall(r"```sql\n-- the worker's role\n(.+?)```", text, re.DOTALL)
    for name, value in {
        "training_worker": role,
        "shop": psycopg.conninfo.conninfo_to_dict(hardened)["dbname"],
    }.items():
        documented = re.sub(rf"\b{name}\b", str(value), documented)
    with psycopg.connect(hardened, autocommit=True) as connection:
        connection.execute(documented.encode())
        by_hand = rights(connection, role)
        assert grant(hardened, role).statements == []
        connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
        assert not grant(hardened, role).created
        assert rights(connection, role) == by_hand


def rights(connection: psycopg.Connection[tuple[object, ...]], role: str) -> list[tuple[object, ...]]:
    query = """
        SELECT table_name::text, privilege_type::text, column_name::text
        FROM information_schema.column_privileges WHERE grantee = %(role)s
        UNION SELECT table_name, privilege_type, '' FROM information_schema.table_privileges WHERE grantee = %(role)s
        UNION SELECT routine_name, privilege_type, '' FROM information_schema.routine_privileges
        WHERE grantee = %(role)s
        ORDER BY 1, 2, 3
    """
    return connection.execute(query, {"role": role}).fetchall()


def test_who_may_not_give_the_rights_is_told_what_the_owner_must_execute(database: str, role: str) -> None:
    migrator = f"{role}_m"
    limited = create(database, migrator)
    try:
        with pytest.raises(GrantError, match=f"`CREATE ROLE {role} LOGIN`"):
            grant(limited, role)
        create(database, role)
        with pytest.raises(GrantError) as refused:
            grant(limited, role)
        statements = re.findall(r"^  (GRANT .+;)$", str(refused.value), re.MULTILINE)
        assert len(statements) > 5
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("\n".join(statements).encode())
        assert not grant(limited, role).statements
    finally:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(migrator)))


@pytest.mark.parametrize(("name", "message"), [("public", "reserved"), ("", "zero-length")])
def test_a_name_that_no_role_can_have_is_a_sentence(database: str, name: str, message: str) -> None:
    with pytest.raises(GrantError, match=message):
        grant(database, name)


def test_a_superuser_is_refused(database: str) -> None:
    with psycopg.connect(database) as connection:
        user, is_superuser = connection.info.user, connection.info.parameter_status("is_superuser")
    if is_superuser != "on":
        pytest.skip(f"{user}, as whom these tests log in, is no superuser")
    with pytest.raises(GrantError, match="is a superuser"):
        grant(database, user)
