"""What dead workers leave is removed; what may still be needed is not."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.registered import aged
from tests.support.shop import Shop
from tests.support.waiting import DEADLINE
from worker.events import Event


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    """A shop without products: nothing is trained here."""
    return Shop(database, tmp_path / "storage", tmp_path / "models")


def insert_job(shop: Shop, status: str) -> str:
    """A job that nobody will claim or rescue."""
    with shop.connect() as connection:
        row = connection.execute(
            """INSERT INTO "TrainingJobs" ("Status", "RunAfter", "LeasedUntil", "WorkerId")
            VALUES (%s, now() + interval '1 day', now() + interval '1 day', 'another') RETURNING "Id" """,
            (status,),
        ).fetchone()
    assert row
    return json.dumps({"job_id": str(row["Id"])})


def test_a_restored_or_wrong_database_costs_no_model(shop: Shop) -> None:
    """A folder without a row goes only where this database knows that its job made no model."""
    stories = {status: insert_job(shop, status) for status in ("Pending", "Running", "Completed")}
    stories |= {
        "no metadata": "",
        "torn": '{"job_id": ',
        "no job": "[]",
        "no id": '{"job_id": 7}',
        "another database's": json.dumps({"job_id": str(uuid4())}),
    }
    left = [
        aged(shop.models / f"v{1000000000 + number}_20010909", 1000, metadata)
        for number, metadata in enumerate(stories.values())
    ]
    ended = [
        aged(shop.models / f"v{2000000000 + number}_20330518", 1000, insert_job(shop, status))
        for number, status in enumerate(("Failed", "Cancelled"))
    ]
    log, _ = shop.worker("run", "--until-idle").communicate(timeout=DEADLINE)
    assert sorted(shop.models.glob("v*")) == left
    events = [json.loads(line) for line in log.splitlines()]
    removed = [event["path"] for event in events if event["event"] == Event.ORPHAN_REMOVED]
    assert removed == [str(folder) for folder in ended]
    [warning] = [event for event in events if event["event"] == Event.ORPHANS_LEFT]
    assert (warning["level"], warning["count"]) == ("warning", len(left))
    assert warning["paths"] == [str(folder) for folder in left]
