"""`worker jobs …` as people run it."""

import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from tests.support.shop import Shop
from worker.cli.main import main

ENDED = """INSERT INTO "TrainingJobs" ("Status", "CompletedAt")
    SELECT 'Completed', now() - days * interval '1 day' FROM generate_series(1, 3) AS days"""


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    """A shop with jobs that ended one, two and three days ago, and one that waits."""
    shop = Shop(database, tmp_path / "storage", tmp_path / "models")
    with shop.connect() as connection:
        connection.execute(ENDED)
    shop.insert_job()
    return shop


def jobs(shop: Shop, *arguments: str) -> tuple[object, str, str]:
    """Run `worker jobs …` in this process; give its exit status or error, and what it printed."""
    out, err = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("DATABASE_URL", shop.database)
        patch.setattr(sys, "argv", ["worker", "jobs", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    return ended.value.code, out.getvalue(), err.getvalue()


def test_prune_removes_jobs_that_ended_so_long_ago(shop: Shop) -> None:
    assert jobs(shop, "prune", "--older-than", "1.5") == (0, "Removed 2 jobs.\n", "")
    assert jobs(shop, "prune", "--older-than", "1.5") == (0, "There was nothing to remove.\n", "")
    assert jobs(shop, "prune", "--older-than", "0") == (0, "Removed 1 job.\n", "")
    with shop.connect() as connection:
        assert connection.execute('SELECT "Status" FROM "TrainingJobs"').fetchall() == [{"Status": "Pending"}]


def test_what_the_database_keeps_is_said(shop: Shop) -> None:
    with shop.connect() as connection:
        connection.execute('CREATE TABLE notes (job uuid REFERENCES "TrainingJobs")')
        connection.execute(
            """INSERT INTO notes SELECT "Id" FROM "TrainingJobs" ORDER BY "CompletedAt" LIMIT 1"""
        )
    status, out, err = jobs(shop, "prune", "--older-than", "1")
    assert (status, out) == (1, "Removed 2 jobs.\n")
    assert err.startswith("worker: The database keeps 1 job, such as ")
    assert "violates foreign key constraint" in err


@pytest.mark.parametrize("arguments", [["prune"], ["prune", "--older-than", "-1"]])
def test_a_wrong_call_is_told_in_a_sentence(shop: Shop, arguments: list[str]) -> None:
    status, _, err = jobs(shop, *arguments)
    assert status == 2
    assert "--older-than" in err
