"""What dead workers leave is removed; what may still be needed is not."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.support.registered import aged
from worker.registry.folder import reserve
from worker.registry.orphans import Orphans, remove_orphans

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

    async def is_held(name: str) -> bool:
        return name == "alive.1"

    async def is_registered(version: str) -> bool:
        return version == "v1000000002_20010909"

    async def ended_without_model(job_id: str) -> bool:
        return job_id == "failed"

    orphans = await remove_orphans(tmp_path, NOW, is_held, is_registered, ended_without_model, is_registered)
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
    async def never(name: str) -> bool:
        raise AssertionError(name)

    assert await remove_orphans(tmp_path / "models", NOW, never, never, never, never) == Orphans([], [])
