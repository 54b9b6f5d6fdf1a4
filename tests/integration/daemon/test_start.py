"""How a worker begins: what it needs is there, or it says what is missing."""

import json
import signal
from pathlib import Path

import pytest

from tests.support.shop import Shop
from tests.support.waiting import DEADLINE
from worker.events import Event

SLOW = "import time; print('importing', flush=True); time.sleep(600)"


def test_a_database_that_was_not_migrated_is_refused_by_name(shop: Shop) -> None:
    with shop.connect() as connection:
        row = connection.execute("""DELETE FROM "TrainingMigrations"
            WHERE "Name" = (SELECT max("Name") FROM "TrainingMigrations") RETURNING "Name" """).fetchone()
    assert row
    log, _ = shop.worker("run").communicate(timeout=DEADLINE)
    assert row["Name"] in log
    assert "worker migrate" in log
    assert "Traceback" not in log


def test_a_database_that_is_away_at_the_start_is_waited_for(shop: Shop) -> None:
    process = shop.worker("run", DATABASE_URL="host=127.0.0.1 port=1 password=hunter2")
    assert process.stdout
    for line in process.stdout:
        if json.loads(line)["event"] == Event.DATABASE_LOST:
            break
    assert process.poll() is None
    process.terminate()
    rest, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    assert "hunter2" not in line + rest


def test_an_idle_worker_ends_at_sigterm_and_until_idle_at_once(shop: Shop) -> None:
    process = shop.worker("run")
    assert process.stdout
    for line in process.stdout:
        if json.loads(line)["event"] == Event.LISTENING:
            break
    process.terminate()
    rest, _ = process.communicate(timeout=DEADLINE)
    events = [json.loads(line)["event"] for line in rest.splitlines()]
    assert (process.returncode, events) == (0, [Event.WORKER_STOPPING, Event.WORKER_STOPPED])
    assert shop.worker("run", "--until-idle").wait(timeout=DEADLINE) == 0


def test_what_begins_like_a_setting_and_is_none_is_named_once_at_the_start(shop: Shop) -> None:
    log, _ = shop.worker("run", "--until-idle", LEASE_SECOND="10").communicate(timeout=DEADLINE)
    events = [json.loads(line) for line in log.splitlines()]
    [warning] = [event for event in events if event["event"] == Event.SETTINGS_UNKNOWN]
    assert warning["level"] == "warning"
    assert warning["did_you_mean"] == {"LEASE_SECOND": "LEASE_SECONDS"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(("command", "status"), [("run", 0), ("migrate", 128)])
def test_a_signal_before_a_worker_has_begun_ends_it_quietly(
    tmp_path: Path, number: signal.Signals, command: str, status: int
) -> None:
    """Only what is to run until it is stopped has done, so early, all that it should."""
    (tmp_path / "psycopg.py").write_text(SLOW)
    process = Shop("", tmp_path, tmp_path).worker(command, PYTHONPATH=str(tmp_path))
    assert process.stdout
    assert process.stdout.readline() == "importing\n"
    process.send_signal(number)
    rest, _ = process.communicate(timeout=DEADLINE)
    assert (process.returncode, rest) == (status and status + number, "")
