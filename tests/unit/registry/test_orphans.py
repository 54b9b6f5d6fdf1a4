"""What dead workers leave is removed; what may still be needed is not."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.support.orphans import knows, remove_all
from tests.support.registered import aged
from worker.registry.folder import reserve
from worker.registry.orphans import STEP, Orphans, remove_orphans

NOW = datetime(2026, 1, 1, tzinfo=UTC)


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

    known = knows(held={"alive.1"}, registered={"v1000000002_20010909"}, ended_without_model={"failed"})
    orphans = await remove_all(tmp_path, NOW, known)
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


async def test_there_is_nothing_to_remove_where_there_is_no_folder_yet(tmp_path: Path) -> None:
    asked: list[int] = []
    assert await remove_all(tmp_path / "models", NOW, knows(asked=asked)) == Orphans([], [])
    assert asked == []


async def test_very_many_folders_take_few_questions_and_many_steps(tmp_path: Path) -> None:
    """60,000 folders took a question each, all in one transaction."""
    many = 2 * STEP + 1
    for number in range(many):
        (tmp_path / ".staging" / f"v{1_000_000_000 + number}_20010909" / "dead.1").mkdir(parents=True)
    asked: list[int] = []
    steps = [orphans async for orphans in remove_orphans(tmp_path, NOW, knows(asked=asked))]
    assert [len(step.removed) for step in steps] == [STEP, STEP, 1]
    assert asked == [STEP, STEP, 1]
    assert list((tmp_path / ".staging").iterdir()) == []
