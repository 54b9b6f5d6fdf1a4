"""How a worker begins: what it needs is there, or it says what is missing."""

import json
import signal
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.support.shop import Shop
from tests.support.waiting import DEADLINE, wait_until
from worker.events import Event
from worker.version import VERSION

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


def test_a_password_that_is_wrong_ends_the_start_with_the_sentence_of_migrate(shop: Shop) -> None:
    wrong = make_conninfo(shop.database, password="hunter2")
    ended = [shop.with_errors.worker(command, DATABASE_URL=wrong) for command in ("run", "migrate")]
    (log, error), (_, sentence) = (process.communicate(timeout=DEADLINE) for process in ended)
    assert [process.returncode for process in ended] == [1, 1]
    assert error == sentence
    assert error.startswith("worker: the database cannot be used: connection failed: ")
    assert "hunter2" not in log + error
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert {Event.DATABASE_LOST, Event.LISTEN_LOST}.isdisjoint(events)
    assert events[-1] == Event.WORKER_STOPPED


def test_a_database_that_is_away_at_the_start_is_waited_for(shop: Shop) -> None:
    health = shop.models.with_name("worker-health")
    health.touch()
    process = shop.worker("run", DATABASE_URL="host=127.0.0.1 port=1 password=hunter2")
    assert process.stdout
    for line in process.stdout:
        if json.loads(line)["event"] == Event.DATABASE_LOST:
            break
    assert "Connection refused" in json.loads(line)["reason"]
    assert process.poll() is None
    wait_until(lambda: not health.exists(), "what another worker left to be taken for no sign of life")
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
    with shop.connect() as connection:
        names = connection.execute("""SELECT DISTINCT application_name FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()""").fetchall()
    assert names == [{"application_name": f"training-worker {VERSION}"}]
    process.terminate()
    rest, _ = process.communicate(timeout=DEADLINE)
    events = [json.loads(line)["event"] for line in rest.splitlines()]
    assert (process.returncode, events) == (0, [Event.WORKER_STOPPING, Event.WORKER_STOPPED])
    assert shop.worker("run", "--until-idle").wait(timeout=DEADLINE) == 0


def test_the_log_has_the_version_and_a_jobs_options_and_a_file_may_hold_the_database(shop: Shop) -> None:
    secret = shop.models.with_name("database_url")
    secret.write_text(shop.database + "\n")
    shop.insert_job({"epoch": 3})
    settings = {"DATABASE_URL": "", "DATABASE_URL_FILE": str(secret), "STORAGE_PATH": "/nowhere"}
    log, _ = shop.worker("run", "--until-idle", **settings).communicate(timeout=DEADLINE)
    events = {event["event"]: event for event in map(json.loads, log.splitlines())}
    assert events[Event.WORKER_STARTED]["version"] == VERSION
    assert events[Event.JOB_CLAIMED]["options"] == '{"epoch": 3}'
    assert events[Event.SETTING_UNUSABLE]["setting"] == "STORAGE_PATH"
    assert str(conninfo_to_dict(shop.database)["password"]) not in log


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
