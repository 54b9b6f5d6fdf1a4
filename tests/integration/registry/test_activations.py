"""Whoever changes the active model, and however, leaves one row in "ModelActivations" that says so."""

import random
import threading
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.integration.test_contract import BACKEND
from tests.support.registered import Row, active, assert_audit_holds, audit, changes, insert_row
from tests.support.shop import Rows, Shop
from worker.database.migrate import MIGRATIONS, migrate

SHARES = """UPDATE "ModelMetadata" SET "IsActive" = ("Version" = 'b')"""
OFF = 'UPDATE "ModelMetadata" SET "IsActive" = false WHERE "IsActive"'
ON = """UPDATE "ModelMetadata" SET "IsActive" = true WHERE "Version" = 'b'"""


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    """A shop with the models a, which is active, and b."""
    shop = Shop(make_conninfo(database, application_name="the backend"), tmp_path, tmp_path / "models")
    insert_row(shop, "a", active=True)
    insert_row(shop, "b")
    return shop


def user(shop: Shop) -> str:
    with shop.connect() as connection:
        row = connection.execute("SELECT session_user AS name").fetchone()
    assert row
    return str(row["name"])


def last(shop: Shop) -> Row:
    assert_audit_holds(shop)
    return audit(shop)[-1]


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([SHARES], [("a", "b")]),
        ([f"BEGIN; {OFF}; {ON}; COMMIT"], [("a", "b")]),
        ([OFF, ON], [("a", None), (None, "b")]),
        (["""DELETE FROM "ModelMetadata" WHERE "Version" = 'a'"""], [("a", None)]),
        ([f"""BEGIN; DELETE FROM "ModelMetadata" WHERE "Version" = 'a'; {ON}; COMMIT"""], [("a", "b")]),
        (["""UPDATE "ModelMetadata" SET "Version" = 'a2' WHERE "Version" = 'a'"""], [("a", "a2")]),
        (['TRUNCATE "ModelMetadata"'], [("a", None)]),
        (["SELECT activate_model('b')"], [("a", "b")]),
        (["SELECT activate_model('b')", "SELECT activate_model('a')"], [("a", "b"), ("b", "a")]),
    ],
    ids=[
        "in one statement",
        "in two of one transaction",
        "in two transactions",
        "by removing it",
        "by removing it and another",
        "by another name",
        "by removing all",
        "by the function",
        "by the function and back",
    ],
)
def test_every_change_of_the_active_model_is_one_row(
    shop: Shop, statements: list[str], expected: list[tuple[str | None, str | None]]
) -> None:
    with shop.connect() as connection:
        for statement in statements:
            connection.execute(statement.encode())
    assert changes(shop) == [(None, "a"), *expected]
    assert_audit_holds(shop)
    if "activate_model" not in statements[0]:
        assert last(shop)["Reason"] == "A statement of the backend changed it."
    assert last(shop)["ActivatedBy"] == user(shop)


@pytest.mark.parametrize(
    "statement",
    [
        """UPDATE "ModelMetadata" SET "Notes" = 'good'""",
        f'BEGIN; {SHARES}; {OFF}; UPDATE "ModelMetadata" SET "IsActive" = true WHERE "Version" = \'a\'; COMMIT',
        f"BEGIN; {SHARES}; ROLLBACK",
        """DELETE FROM "ModelMetadata" WHERE "Version" = 'b'""",
        "SELECT activate_model('a', 'It is as it is.')",
    ],
    ids=["notes", "to and fro", "taken back", "another one removed", "active already"],
)
def test_what_changes_nothing_leaves_no_row(shop: Shop, statement: str) -> None:
    with shop.connect() as connection:
        connection.execute(statement.encode())
    assert changes(shop) == [(None, "a")]


def test_the_function_tells_what_was_active_and_the_audit_who_and_why(shop: Shop) -> None:
    with shop.connect() as connection:
        said = connection.execute("SELECT activate_model('b', 'It is better.', 'anna') AS before").fetchone()
        again = connection.execute("SELECT activate_model('b', 'Twice.', 'anna') AS before").fetchone()
        assert (said, again) == ({"before": "a"}, {"before": "b"})
        row = last(shop)
        assert (row["ActivatedBy"], row["Reason"]) == ("anna", "It is better.")
        # Of the next transaction nothing of this is true.
        connection.execute(OFF)
        assert last(shop)["ActivatedBy"] == user(shop)
        assert last(shop)["Reason"] == "A statement of the backend changed it."


@pytest.mark.parametrize("version", ["'c'", "NULL"])
def test_an_unknown_version_cannot_be_activated_and_the_error_says_so(shop: Shop, version: str) -> None:
    with shop.connect() as connection, pytest.raises(psycopg.errors.NoDataFound, match="no model"):
        connection.execute(f"SELECT activate_model({version})".encode())
    assert changes(shop) == [(None, "a")]


def test_a_change_that_waits_for_another_goes_on_from_it(shop: Shop) -> None:
    with shop.connect() as first, shop.connect() as second:
        first.execute(b"BEGIN")
        first.execute(OFF)
        waiting = threading.Thread(target=second.execute, args=(ON,))
        waiting.start()
        first.execute(b"COMMIT")
        waiting.join()
    assert changes(shop) == [(None, "a"), ("a", None), (None, "b")]
    assert_audit_holds(shop)


def test_a_transaction_that_cannot_see_the_last_change_fails_instead_of_telling_it_wrong(shop: Shop) -> None:
    with shop.connect() as blind:
        blind.execute(b"BEGIN ISOLATION LEVEL REPEATABLE READ")
        blind.execute('SELECT FROM "ModelMetadata"')
        with shop.connect() as other:
            other.execute(OFF)
        blind.execute(ON)
        with pytest.raises(psycopg.errors.SerializationFailure):
            blind.execute(b"COMMIT")
    assert changes(shop) == [(None, "a"), ("a", None)]
    assert_audit_holds(shop)


def test_many_who_change_it_at_once_leave_a_chain_without_gaps(shop: Shop) -> None:
    versions = ["a", "b", "c", "d"]
    for version in versions[2:]:
        insert_row(shop, version)
    levels = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
    # Who comes second where only one can be active, or cannot see who came first, or waits in a circle.
    lost = (
        psycopg.errors.UniqueViolation,
        psycopg.errors.SerializationFailure,
        psycopg.errors.DeadlockDetected,
    )

    def change(connection: Rows, chance: random.Random) -> None:
        with connection.transaction():
            connection.execute(f"SET TRANSACTION ISOLATION LEVEL {chance.choice(levels)}".encode())
            if chance.random() < 0.5:
                connection.execute("SELECT activate_model(%s)", (chance.choice(versions),))
                return
            connection.execute(OFF)
            if chance.random() < 0.7:
                query = 'UPDATE "ModelMetadata" SET "IsActive" = true WHERE "Version" = %s'
                connection.execute(query, (chance.choice(versions),))

    def somebody(seed: int) -> None:
        chance = random.Random(seed)
        with shop.connect() as connection:
            for _ in range(50):
                try:
                    change(connection, chance)
                except lost:
                    continue

    people = [threading.Thread(target=somebody, args=(seed,)) for seed in range(6)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert len(audit(shop)) > 20
    assert_audit_holds(shop)


def test_a_user_without_rights_on_the_audit_is_in_it_all_the_same(shop: Shop) -> None:
    with shop.connect() as connection:
        name = sql.Identifier(f"clerk_{random.randrange(10**12)}")
        connection.execute(sql.SQL("CREATE ROLE {}").format(name))
        try:
            connection.execute(sql.SQL('GRANT SELECT, UPDATE ON "ModelMetadata" TO {}').format(name))
            connection.execute(sql.SQL("SET ROLE {}").format(name))
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute('INSERT INTO "ModelActivations" VALUES (DEFAULT)')
            # A table of their own in the way of the real one.
            connection.execute(b"""CREATE TEMP TABLE "ModelActivations" ("Id" int, "Version" text,
                "PreviousVersion" text, "ActivatedBy" text, "Reason" text)""")
            connection.execute("SELECT activate_model('b')")
            connection.execute(OFF)
        finally:
            connection.execute("RESET ROLE")
            connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(name))
    assert changes(shop) == [(None, "a"), ("a", "b"), ("b", None)]


@pytest.mark.parametrize("schema", ["public", "Shop of mine"])
def test_the_audit_of_a_backend_with_models_of_its_own_begins_with_the_active_one(
    empty_database: str, tmp_path: Path, schema: str
) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    quoted = f'"{schema}"'.replace(" ", "\\ ")
    shop = Shop(
        make_conninfo(empty_database, options=f"-csearch_path={quoted}"), tmp_path, tmp_path / "models"
    )
    with shop.connect() as backend:
        backend.execute(BACKEND.encode())
    insert_row(shop, "a", active=True)
    insert_row(shop, "b")
    migrate(shop.database, MIGRATIONS)
    migrate(shop.database, MIGRATIONS)
    assert [row["Reason"] for row in audit(shop)] == ["It was active when this table was created."]
    with psycopg.connect(empty_database, autocommit=True) as elsewhere:
        function = sql.Identifier(schema, "activate_model")
        elsewhere.execute(sql.SQL("SELECT {}('b')").format(function))
    assert active(shop) == "b"
    assert changes(shop) == [(None, "a"), ("a", "b")]


def test_a_backend_without_an_active_model_begins_with_an_empty_audit(
    empty_database: str, tmp_path: Path
) -> None:
    shop = Shop(empty_database, tmp_path, tmp_path / "models")
    with shop.connect() as backend:
        backend.execute(BACKEND.encode())
    insert_row(shop, "a")
    migrate(empty_database, MIGRATIONS)
    assert audit(shop) == []
