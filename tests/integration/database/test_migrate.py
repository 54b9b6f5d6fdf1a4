"""The migration runner, on folders of small migrations."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.support.waiting import DEADLINE, wait_until
from worker.database.migrate import migrate, pending
from worker.database.migration import MigrationError

ROOT = Path(__file__).parents[3]
CREATE = 'CREATE TABLE "Jobs" ("Id" int PRIMARY KEY);\n'
FUNCTION = """-- Several statements, a per cent sign 100% and semicolons in a body.
CREATE FUNCTION one() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    RETURN 1;
END
$$;
INSERT INTO "Jobs" VALUES (one());
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write migrations, named by keyword with an underscore before the number, into one folder."""

    def files(**texts: str) -> Path:
        for name, text in texts.items():
            (tmp_path / f"{name[1:]}.sql").write_text(text, encoding="utf-8", newline="")
        return tmp_path

    return files


def rows(database: str, query: bytes) -> list[tuple[object, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute(query).fetchall()


def applied(database: str) -> list[str]:
    return [str(name) for (name,) in rows(database, b'SELECT "Name" FROM "TrainingMigrations" ORDER BY 1')]


def test_each_is_applied_once_and_in_order(empty_database: str, write: Write) -> None:
    folder = write(_0002_function=FUNCTION, _0001_jobs=CREATE)
    (folder / "README.md").write_text("not a migration")
    assert pending(empty_database, folder) == ["0001_jobs", "0002_function"]
    assert migrate(empty_database, folder) == ["0001_jobs", "0002_function"]
    assert migrate(empty_database, folder) == []
    assert pending(empty_database, folder) == []
    assert rows(empty_database, b'SELECT * FROM "Jobs"') == [(1,)]
    write(_0003_more='INSERT INTO "Jobs" VALUES (3);')
    assert pending(empty_database, folder) == ["0003_more"]
    assert migrate(empty_database, folder) == ["0003_more"]


def test_asking_what_is_pending_changes_nothing(empty_database: str, write: Write) -> None:
    pending(empty_database, write(_0001_jobs=CREATE))
    assert rows(empty_database, b"SELECT to_regclass('\"TrainingMigrations\"')") == [(None,)]


@pytest.mark.parametrize("processes", [2, 8])
def test_processes_at_once_apply_each_once(empty_database: str, write: Write, processes: int) -> None:
    folder = write(_0001_jobs=CREATE + "SELECT pg_sleep(0.5);", _0002_function=FUNCTION)
    started = [start(empty_database, folder) for _ in range(processes)]
    results = [process.communicate(timeout=DEADLINE)[0].strip() for process in started]
    assert [process.returncode for process in started] == [0] * processes
    assert sorted(results) == ["['0001_jobs', '0002_function']"] + ["[]"] * (processes - 1)
    assert rows(empty_database, b'SELECT * FROM "Jobs"') == [(1,)]


def test_waiting_for_another_process_can_be_interrupted(empty_database: str, write: Write) -> None:
    folder = write(_0001_jobs=CREATE)
    waiting = b"""SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%pg_try_advisory_lock%'"""
    with psycopg.connect(empty_database, autocommit=True) as holder:
        holder.execute("SELECT 1 FROM pg_try_advisory_lock(7203518946120733)")
        holder.execute("SELECT 1")
        process = start(empty_database, folder)
        wait_until(
            lambda: process.poll() is not None or rows(empty_database, waiting), "a process that waits"
        )
        process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in process.communicate(timeout=DEADLINE)[1]
        wait_until(lambda: not rows(empty_database, waiting), "the end of its wait")
    assert migrate(empty_database, folder) == ["0001_jobs"]


def start(database: str, folder: Path) -> subprocess.Popen[str]:
    program = "import signal, sys, pathlib; from worker.database.migrate import migrate\n"
    # A process that a script started in the background ignores it, and so do all that it starts.
    program += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    program += "print(migrate(sys.argv[1], pathlib.Path(sys.argv[2])))"
    return subprocess.Popen(
        [sys.executable, "-c", program, database, str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_role_s_own_time_limits_do_not_end_it(empty_database: str, write: Write) -> None:
    folder = write(_0001_jobs=CREATE + "SELECT pg_sleep(0.2);")
    limited = psycopg.conninfo.make_conninfo(
        empty_database, options="-cstatement_timeout=50 -clock_timeout=50"
    )
    assert migrate(limited, folder) == ["0001_jobs"]


def test_a_changed_one_is_refused(empty_database: str, write: Write) -> None:
    folder = write(_0001_jobs=CREATE, _0002_function=FUNCTION)
    migrate(empty_database, folder)
    write(_0001_jobs=CREATE + "-- a word more", _0003_more='INSERT INTO "Jobs" VALUES (3);')
    for ask in (migrate, pending):
        with pytest.raises(
            MigrationError, match=r"^0001_jobs was changed after it was applied on 20\d\d-.* UTC; "
        ):
            ask(empty_database, folder)
    assert applied(empty_database) == ["0001_jobs", "0002_function"]


def test_a_checkout_with_windows_line_ends_is_the_same(empty_database: str, write: Write) -> None:
    folder = write(_0001_jobs=CREATE, _0002_function=FUNCTION.replace("\n", "\r\n"))
    migrate(empty_database, folder)
    write(_0001_jobs="\ufeff" + CREATE.replace("\n", "\r\n"), _0002_function=FUNCTION)
    assert migrate(empty_database, folder) == []


def test_a_missing_one_is_refused(empty_database: str, write: Write) -> None:
    folder = write(_0001_jobs=CREATE, _0002_function=FUNCTION)
    migrate(empty_database, folder)
    (folder / "0001_jobs.sql").unlink()
    with pytest.raises(MigrationError, match=r"^0001_jobs is applied to this database but is not in"):
        migrate(empty_database, folder)


def test_a_new_one_below_the_newest_applied_is_refused(empty_database: str, write: Write) -> None:
    folder = write(_0001_jobs=CREATE, _0002_function=FUNCTION)
    migrate(empty_database, folder)
    write(_0002_earlier="SELECT 1;")
    with pytest.raises(
        MigrationError, match=r"^0002_earlier is not applied, but .* 0002_function is; .* 0003"
    ):
        migrate(empty_database, folder)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["0001_a", "0003_c"], "has 0003_c but no migration 0002"),
        (["0002_b"], "has 0002_b but no migration 0001"),
        (["0000_a"], "0000_a.sql is not named as a migration"),
        (["0001_a", "0002_b", "0002_c"], "have the number 0002"),
        (["0001_a", "2_b"], "2_b.sql is not named as a migration"),
        (["0001_a", "0002-b"], "0002-b.sql is not named as a migration"),
        ([], "There are no migrations in"),
    ],
)
def test_numbers_must_have_no_gaps_and_no_twins(
    empty_database: str, write: Write, names: list[str], message: str
) -> None:
    folder = write(**{f"_{name}": "SELECT 1;" for name in names})
    with pytest.raises(MigrationError, match=message):
        migrate(empty_database, folder)


FAILING = """-- é, so that bytes are not characters
CREATE TABLE "Half" ();
INSERT INTO "Jobs" VALUES (99);

SELECT nonsense
FROM "Jobs";
"""


def test_a_failing_one_is_rolled_back_entirely_and_can_be_corrected(
    empty_database: str, write: Write
) -> None:
    folder = write(_0001_jobs=CREATE, _0002_bad=FAILING, _0003_function=FUNCTION)
    with pytest.raises(MigrationError) as raised:
        migrate(empty_database, folder)
    assert str(raised.value).startswith("0002_bad.sql, line 5 failed, and nothing of it was applied")
    assert 'column "nonsense" does not exist' in str(raised.value)
    assert applied(empty_database) == ["0001_jobs"]
    assert rows(empty_database, b'SELECT to_regclass(\'"Half"\'), (SELECT count(*) FROM "Jobs")') == [
        (None, 0)
    ]
    write(_0002_bad=FAILING.replace("nonsense", '"Id"'))
    assert migrate(empty_database, folder) == ["0002_bad", "0003_function"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "DO $$ BEGIN RAISE EXCEPTION 'two are active' USING HINT = 'Keep one.'; END $$;",
            "two are active\n.*Keep one",
        ),
        ('INSERT INTO "Jobs" VALUES (1), (1);', r"duplicate key .*\n.*Key \(\"Id\"\)=\(1\) already exists"),
        (
            'ALTER TABLE "Jobs" ADD up int REFERENCES "Jobs" INITIALLY DEFERRED; INSERT INTO "Jobs" SELECT 1, 2;',
            "violates foreign key",
        ),
        ("CREATE TABLE half ();\nSELECT 1;\nCREATE INDEX CONCURRENTLY ON half ((1));", "cannot run inside"),
        ("CREATE TABLE half ();\nCOMMIT;\nSELECT 1/0;", "line 2: remove “COMMIT”"),
        ("begin transaction;", "line 1: remove “begin”"),
        ("CREATE TABLE half ();\nSELECT 1 +;", 'line 2 failed.*\n.*syntax error at or near ";"'),
    ],
)
def test_every_kind_of_failure_leaves_nothing(
    empty_database: str, write: Write, text: str, message: str
) -> None:
    write(_0001_jobs=CREATE)
    with pytest.raises(MigrationError, match=message) as raised:
        migrate(empty_database, write(_0002_bad=text))
    assert "0002_bad.sql" in str(raised.value)
    assert rows(empty_database, b"SELECT to_regclass('half')") == [(None,)]
    if "remove" not in message:
        assert applied(empty_database) == ["0001_jobs"]


def test_a_database_that_does_not_answer_is_psycopg_s_own_error(write: Write) -> None:
    with pytest.raises(psycopg.OperationalError):
        migrate("host=127.0.0.1 port=1 user=worker password=hidden", write(_0001_jobs=CREATE))
