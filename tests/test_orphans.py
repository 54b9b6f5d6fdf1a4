"""What dead workers leave is removed; what may still be needed is not."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from worker.registry.folder import discard, publish, reserve
from worker.registry.orphans import remove_orphans

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def aged(folder: Path, hours: float) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text("{}")
    then = time.time() - 3600 * hours
    os.utime(folder, (then, then))
    return folder


async def test_only_what_nobody_needs_is_removed(tmp_path: Path) -> None:
    old = aged(tmp_path / "v1000000000_20010909", 25)
    aged(tmp_path / "v1000000001_20010909", 23)
    aged(tmp_path / "v1000000002_20010909", 1000)
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

    removed = await remove_orphans(tmp_path, is_held, is_registered)
    assert sorted(removed) == sorted([old, dead.staged, half])
    assert not any(path.exists() for path in removed)
    assert alive.staged.exists()
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == [
        "a-backends-own-folder",
        "v1000000001_20010909",
        "v1000000002_20010909",
    ]


async def test_there_is_nothing_to_remove_where_there_is_no_folder_yet(tmp_path: Path) -> None:
    async def never(name: str) -> bool:
        raise AssertionError(name)

    assert await remove_orphans(tmp_path / "models", never, never) == []


def test_no_version_is_reserved_twice_not_even_after_it_was_published(tmp_path: Path) -> None:
    first, second = reserve(tmp_path, NOW, "a.1"), reserve(tmp_path, NOW, "b.1")
    assert first.version == "v1767225600_20260101"
    assert second.version == "v1767225601_20260101"
    publish(first)
    publish(first)
    discard(first)
    assert first.place.is_dir()
    assert reserve(tmp_path, NOW, "c.1").version == "v1767225602_20260101"
