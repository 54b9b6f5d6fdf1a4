"""A version belongs to one worker, from its reservation on."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    "newest",
    ["v1767225607_20260101", ".pruned/v1767225607_20260101", ".staging/v1767225607_20260101/dead.1"],
)
def test_none_is_given_at_or_below_the_newest_folder(tmp_path: Path, newest: str) -> None:
    """As when the clock is set back, or many jobs completed within a second."""
    (tmp_path / newest).mkdir(parents=True)
    (tmp_path / "v1767225601_20260101").mkdir()
    (tmp_path / "a-backends-own-folder").mkdir()
    assert reserve(tmp_path, NOW, "a.1").version == "v1767225608_20260101"


def test_none_is_given_at_or_below_the_newest_that_the_database_knows(tmp_path: Path) -> None:
    known = (None, "v1767312000_20260102", "very good", "v1767225601_20260101")
    assert reserve(tmp_path, NOW, "a.1", known).version == "v1767312001_20260102"
