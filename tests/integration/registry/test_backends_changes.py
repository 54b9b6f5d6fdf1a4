"""A backend changes its own "ModelMetadata" as it likes: its columns, and its rows in any order."""

from pathlib import Path

import psycopg
import pytest

from tests.support.registered import active, assert_audit_holds, changes, insert_row
from tests.support.shop import Shop

ON = """UPDATE "ModelMetadata" SET "IsActive" = true WHERE "Version" = 'b'"""
OFF = """UPDATE "ModelMetadata" SET "IsActive" = false WHERE "Version" = 'a'"""
ALTER = 'ALTER TABLE "ModelMetadata" ALTER "Version" TYPE varchar(100), ALTER "Notes" TYPE text'


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    """A shop with the models a, which is active, and b."""
    shop = Shop(database, tmp_path, tmp_path / "models")
    insert_row(shop, "a", active=True)
    insert_row(shop, "b")
    return shop


@pytest.mark.parametrize(
    "statements",
    [
        f"BEGIN; {ON}; {OFF}; COMMIT",
        f"""{ALTER}; ALTER TABLE "ModelMetadata" ALTER "IsActive" TYPE boolean USING NOT NOT "IsActive";
        BEGIN; {OFF}; {ON}; COMMIT""",
        f"BEGIN; {OFF}; {ON}; {ALTER}; COMMIT",
        f'BEGIN; {ON}; {OFF}; ALTER TABLE "ModelMetadata" ADD "Size" int, DROP "AccuracyMetrics"; COMMIT',
    ],
    ids=["wrong order", "types", "update and alter", "wrong order and alter"],
)
def test_a_backend_switches_and_alters(shop: Shop, statements: str) -> None:
    with shop.connect() as backend:
        for statement in statements.split(";"):
            backend.execute(statement.encode())
    assert active(shop) == "b"
    assert changes(shop) == [(None, "a"), ("a", "b")]
    assert_audit_holds(shop)


def test_two_active_models_are_refused_at_the_commit(shop: Shop) -> None:
    with shop.connect() as backend:
        backend.execute("BEGIN")
        backend.execute(ON)
        with pytest.raises(psycopg.errors.UniqueViolation, match="OneActive"):
            backend.execute("COMMIT")
    assert active(shop) == "a"
    assert changes(shop) == [(None, "a")]


def test_a_backend_inserts_what_may_be_there(shop: Shop) -> None:
    with shop.connect() as backend:
        again = 'INSERT INTO "ModelMetadata" SELECT * FROM "ModelMetadata" ON CONFLICT'
        backend.execute(f"{again} DO NOTHING".encode())
        backend.execute(f"""{again} ("Version") DO UPDATE SET "Notes" = 'again'""".encode())
    assert changes(shop) == [(None, "a")]
