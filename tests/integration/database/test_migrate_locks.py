"""The migration runner beside a shop that is open: it makes nobody wait for long, and goes on where it was."""

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.support.waiting import DEADLINE, wait_until
from worker.database import apply as applying
from worker.database import migrate as migrating
from worker.database.migrate import migrate
from worker.database.migration import MigrationError

CREATE = 'CREATE TABLE "Jobs" ("Id" int); INSERT INTO "Jobs" VALUES (1), (1);'
ALTER = 'ALTER TABLE "Jobs" ADD "More" int;'
INDEX = """-- transaction: no
CREATE INDEX CONCURRENTLY IF NOT EXISTS "IX_Jobs" ON "Jobs" ("Id");
"""
HOLD = 'SELECT FROM "Jobs"'
WAITING = b"""SELECT FROM pg_locks WHERE NOT granted AND locktype = ANY (%s)
    AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())"""


class Background(threading.Thread):
    """A `migrate` beside the test."""

    def __init__(self, database: str, folder: Path) -> None:
        super().__init__(daemon=True)
        self.database, self.folder = database, folder
        self.applied: list[str] = []
        self.start()

    def run(self) -> None:
        self.applied = migrate(self.database, self.folder)

    def result(self) -> list[str]:
        self.join(DEADLINE)
        return self.applied


@pytest.fixture
def shop(empty_database: str, tmp_path: Path) -> Iterator[psycopg.Connection]:
    """A shop's connection, to a database where the first migration is applied."""
    (tmp_path / "0001_jobs.sql").write_text(CREATE)
    migrate(empty_database, tmp_path)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that a test has time for."""
    monkeypatch.setattr(applying, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(migrating, "LOCK_PAUSE_SECONDS", 0.1)


def waits(connection: psycopg.Connection, *kinds: str) -> bool:
    return connection.execute(WAITING, (list(kinds),)).fetchone() is not None


def test_nobody_waits_behind_it_and_it_goes_on_when_the_lock_is_free(
    empty_database: str, tmp_path: Path, shop: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LOCK_PAUSE_SECONDS", 0.1)
    (tmp_path / "0002_more.sql").write_text(ALTER)
    with psycopg.connect(empty_database) as holder:
        holder.execute(HOLD)
        migrator = Background(empty_database, tmp_path)
        wait_until(lambda: waits(shop, "relation"), "a migration that waits for the table")
        # It would wait until the holder's end.
        shop.execute("SET statement_timeout = '60s'")
        shop.execute(HOLD)
    assert migrator.result() == ["0002_more"]


@pytest.mark.usefixtures("hasty")
def test_a_lock_that_is_never_free_is_an_error_that_names_who_holds_it(
    empty_database: str, tmp_path: Path, shop: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LOCK_TRIES", 2)
    (tmp_path / "0002_more.sql").write_text(ALTER)
    with psycopg.connect(empty_database, application_name="a report") as holder:
        holder.execute(HOLD)
        with pytest.raises(
            MigrationError, match=r"^0002_more.sql: .* 2 tries, and nothing of it was applied"
        ) as said:
            migrate(empty_database, tmp_path)
        assert f"Process {holder.info.backend_pid} (a report) holds a lock" in str(said.value)
        assert "Run `worker migrate` again" in str(said.value)
    assert migrate(empty_database, tmp_path) == ["0002_more"]


def test_an_index_is_built_outside_a_transaction_and_what_was_left_of_it_is_dropped(
    empty_database: str, tmp_path: Path, shop: psycopg.Connection
) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation):
        shop.execute('CREATE UNIQUE INDEX CONCURRENTLY "IX_Jobs" ON "Jobs" ("Id")')
    (tmp_path / "0002_index.sql").write_text(INDEX)
    assert migrate(empty_database, tmp_path) == ["0002_index"]
    query = """SELECT indisvalid, indisunique FROM pg_index WHERE indexrelid = '"IX_Jobs"'::regclass"""
    assert shop.execute(query).fetchone() == (True, False)


@pytest.mark.usefixtures("hasty")
def test_a_migrator_of_workers_0_1_that_waits_within_its_statement_does_not_end_an_index(
    empty_database: str, tmp_path: Path, shop: psycopg.Connection
) -> None:
    (tmp_path / "0002_index.sql").write_text(INDEX)
    impatient = make_conninfo(empty_database, options="-cdeadlock_timeout=100")
    with psycopg.connect(empty_database) as writer, psycopg.connect(empty_database, autocommit=True) as old:
        writer.execute('INSERT INTO "Jobs" VALUES (2)')
        migrator = Background(impatient, tmp_path)
        wait_until(lambda: waits(shop, "virtualxid"), "an index that waits for the writer")
        old.execute("SET deadlock_timeout = '600s'")
        waiter = threading.Thread(target=old.execute, args=("SELECT pg_advisory_lock(7203518946120733)",))
        waiter.start()
        wait_until(lambda: waits(shop, "advisory"), "the other migrator")
        writer.rollback()
        # Now the index waits for the other migrator, the server ends it, and the other one has its turn.
        waiter.join(DEADLINE)
        old.close()
        assert migrator.result() == ["0002_index"]


def test_one_that_fails_half_way_is_begun_anew(
    empty_database: str, tmp_path: Path, shop: psycopg.Connection
) -> None:
    file = tmp_path / "0002_index.sql"
    file.write_text(f"{INDEX}\n-- one; two\nSELECT ';' nonsense;\n\nSELECT nonsense FROM \"Jobs\";\n")
    with pytest.raises(
        MigrationError, match=r"^0002_index.sql, line 7 failed, and what it has done so far stays"
    ):
        migrate(empty_database, tmp_path)
    file.write_text(INDEX)
    assert migrate(empty_database, tmp_path) == ["0002_index"]
