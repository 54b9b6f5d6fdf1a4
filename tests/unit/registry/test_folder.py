"""A version belongs to one worker, from its reservation on."""

from datetime import UTC, datetime
from pathlib import Path

from worker.registry.folder import discard, publish, reserve

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_no_version_is_reserved_twice_not_even_after_it_was_published(tmp_path: Path) -> None:
    first, second = reserve(tmp_path, NOW, "a.1"), reserve(tmp_path, NOW, "b.1")
    assert first.version == "v1767225600_20260101"
    assert second.version == "v1767225601_20260101"
    publish(first)
    publish(first)
    discard(first)
    assert first.published.is_dir()
    assert reserve(tmp_path, NOW, "c.1").version == "v1767225602_20260101"
