"""What dead workers leave is removed; what may still be needed is not."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.shop import Shop
from worker.events import Event
from worker.registry.folder import discard, publish, reserve
from worker.registry.orphans import Orphans, remove_orphans

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    """A shop without products: nothing is trained here."""
    return Shop(database, tmp_path / "storage", tmp_path / "models")


def aged(folder: Path, hours: float, metadata: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text("{}")
    if metadata:
        (folder / "metadata.json").write_text(metadata)
    then = time.time() - 3600 * hours
    os.utime(folder, (then, then))
    return folder


async def test_only_what_nobody_needs_is_removed(tmp_path: Path) -> None:
    failed = json.dumps({"job_id": "failed"})
    old = aged(tmp_path / "v1000000000_20010909", 25, failed)
    aged(tmp_path / "v1000000001_20010909", 23, failed)
    aged(tmp_path / "v1000000002_20010909", 1000, failed)
    unknown = aged(tmp_path / "v1000000003_20010909", 1000, json.dumps({"job_id": "unknown"}))
    aged(tmp_path / "a-backends-own-folder", 1000)
    dead = reserve(tmp_path, NOW, "dead.1")
    alive = reserve(tmp_path, NOW, "alive.1")
    half = aged(tmp_path / ".staging" / "v3_20260101", 2)
    (half / "model.json").unlink()
    os.utime(half, (time.time() - 7200,) * 2)
    fresh = tmp_path / ".staging" / "v4_20260101"
    fresh.mkdir()

    async def is_held(name: str) -> bool:
        return name == "alive.1"

    async def is_registered(version: str) -> bool:
        return version == "v1000000002_20010909"

    async def ended_without_model(job_id: str) -> bool:
        return job_id == "failed"

    orphans = await remove_orphans(tmp_path, is_held, is_registered, ended_without_model, is_registered)
    assert sorted(orphans.removed) == sorted([old, dead.staged, half])
    assert orphans.left == [unknown]
    assert not any(path.exists() for path in orphans.removed)
    assert alive.staged.exists()
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == [
        "a-backends-own-folder",
        "v1000000001_20010909",
        "v1000000002_20010909",
        "v1000000003_20010909",
    ]


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
    log, _ = shop.worker("run", "--until-idle").communicate(timeout=30)
    assert sorted(shop.models.glob("v*")) == left
    events = [json.loads(line) for line in log.splitlines()]
    removed = [event["path"] for event in events if event["event"] == Event.ORPHAN_REMOVED]
    assert removed == [str(folder) for folder in ended]
    [warning] = [event for event in events if event["event"] == Event.ORPHANS_LEFT]
    assert (warning["level"], warning["count"]) == ("warning", len(left))
    assert warning["paths"] == [str(folder) for folder in left]


async def test_there_is_nothing_to_remove_where_there_is_no_folder_yet(tmp_path: Path) -> None:
    async def never(name: str) -> bool:
        raise AssertionError(name)

    assert await remove_orphans(tmp_path / "models", never, never, never, never) == Orphans([], [])


def test_no_version_is_reserved_twice_not_even_after_it_was_published(tmp_path: Path) -> None:
    first, second = reserve(tmp_path, NOW, "a.1"), reserve(tmp_path, NOW, "b.1")
    assert first.version == "v1767225600_20260101"
    assert second.version == "v1767225601_20260101"
    publish(first)
    publish(first)
    discard(first)
    assert first.published.is_dir()
    assert reserve(tmp_path, NOW, "c.1").version == "v1767225602_20260101"
