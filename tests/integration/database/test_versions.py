"""Workers of several versions beside one schema: which of them may run is what the migrations say."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from worker.database import migrate as migrating
from worker.database.migrate import migrate, pending
from worker.database.migration import MigrationError

ASK = (migrate, pending)
OURS = 'CREATE TABLE "Jobs" ("Id" int);'
Ask = Callable[[str, Path], list[str]]


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """The migrations of this worker, whose version is 1.2.3."""
    folder = tmp_path / "ours"
    folder.mkdir()
    (folder / "0001_jobs.sql").write_text(OURS)
    return folder


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """Those of a later worker, to which a test adds."""
    folder = tmp_path / "later"
    folder.mkdir()
    (folder / "0001_jobs.sql").write_text(OURS)
    return folder


def as_version(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrating, "VERSION", version)


@pytest.mark.parametrize("ask", ASK)
@pytest.mark.parametrize("oldest", ["1.2.3", "1.2.0", "0.9.10"])
def test_a_worker_runs_beside_later_migrations_that_leave_it_running(
    empty_database: str, ours: Path, later: Path, monkeypatch: pytest.MonkeyPatch, ask: Ask, oldest: str
) -> None:
    (later / "0002_more.sql").write_text(f"-- What it is for.\n-- oldest worker: {oldest}\nSELECT 1;")
    assert migrate(empty_database, later) == ["0001_jobs", "0002_more"]
    as_version("1.2.3", monkeypatch)
    assert ask(empty_database, ours) == []


@pytest.mark.parametrize("ask", ASK)
@pytest.mark.parametrize("oldest", ["1.2.4", "1.10.0", "2.0.0"])
def test_a_worker_that_is_too_old_says_which_version_is_needed(
    empty_database: str, ours: Path, later: Path, monkeypatch: pytest.MonkeyPatch, ask: Ask, oldest: str
) -> None:
    (later / "0002_kept.sql").write_text("-- oldest worker: 1.0.0\nSELECT 1;")
    (later / "0003_other.sql").write_text(f"-- oldest worker: {oldest}\nSELECT 1;")
    migrate(empty_database, later)
    as_version("1.2.3", monkeypatch)
    with pytest.raises(
        MigrationError, match=f"^0003_other .* version {oldest} or later, but this one is 1.2.3"
    ):
        ask(empty_database, ours)


def test_a_migration_that_says_nothing_needs_the_worker_that_applies_it(
    empty_database: str, ours: Path, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (later / "0002_more.sql").write_text("SELECT 1;\n-- oldest worker: 0.0.1\n")
    migrate(empty_database, later)
    as_version("0.0.9", monkeypatch)
    with pytest.raises(MigrationError, match="0002_more"):
        pending(empty_database, ours)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-- oldest worker: 0.2\nSELECT 1;", "“-- oldest worker: 0.2” is not understood"),
        ("-- transaction: none\nSELECT 1;", "“-- transaction: none” is not understood"),
        (
            "-- transaction: no\n\nCREATE INDEX CONCURRENTLY i ON j (k);",
            "line 3: write IF NOT EXISTS before i",
        ),
        ("-- transaction: no\nBEGIN;", "line 2: remove “BEGIN”"),
    ],
)
def test_a_directive_that_is_wrong_is_said(empty_database: str, ours: Path, text: str, message: str) -> None:
    (ours / "0002_more.sql").write_text(text)
    with pytest.raises(MigrationError, match=message):
        pending(empty_database, ours)


def test_workers_0_1_see_their_own_and_those_that_they_may_not_run_beside(
    empty_database: str, later: Path
) -> None:
    for number in range(2, 8):
        (later / f"{number:04}_theirs.sql").write_text("SELECT 1;")
    (later / "0008_borne.sql").write_text("-- oldest worker: 0.1.0\nSELECT 1;")
    (later / "0009_not_borne.sql").write_text("-- oldest worker: 0.2.0\nSELECT 1;")
    migrate(empty_database, later)
    with psycopg.connect(empty_database) as connection:
        rows = connection.execute('SELECT "Name" FROM "WorkerMigrations" ORDER BY 1').fetchall()
    assert [name[:4] for (name,) in rows] == [f"{number:04}" for number in (1, 2, 3, 4, 5, 6, 7, 9)]


def test_nobody_needs_a_right_to_see_what_is_applied(empty_database: str, ours: Path) -> None:
    migrate(empty_database, ours)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("SET ROLE pg_monitor")
        for table in ('"TrainingMigrations"', '"WorkerMigrations"'):
            assert connection.execute(f'SELECT "Name" FROM {table}'.encode()).fetchone() == ("0001_jobs",)
