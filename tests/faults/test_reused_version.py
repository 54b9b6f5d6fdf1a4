"""The version of a worker that seemed dead is not reserved again: if it returned, it could damage the other model."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.orphans import knows, remove_all
from worker.registry.folder import STAGING, discard, publish, reserve, unpublish
from worker.registry.orphans import Orphans, remove_staged

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def test_the_version_of_a_stale_worker_stays_its_own(tmp_path: Path) -> None:
    stale = reserve(tmp_path, NOW, "stale.1")
    orphans = await remove_all(tmp_path, NOW, knows())
    assert orphans == Orphans(removed=[stale.staged], left=[])
    other = reserve(tmp_path, NOW, "other.1")
    assert other.version != stale.version
    publish(other)
    discard(stale)
    unpublish(stale)
    assert other.published.is_dir()


async def test_it_is_released_when_no_job_can_be_claimed_in_its_second_any_more(tmp_path: Path) -> None:
    for owner in ("first.1", "second.1"):
        reserve(tmp_path, NOW, owner)
    await remove_all(tmp_path, NOW + timedelta(seconds=1), knows())
    assert [path.name for path in (tmp_path / STAGING).iterdir()] == ["v1767225601_20260101"]
    assert remove_staged(tmp_path, "first.1", NOW) == []
    reserve(tmp_path, NOW, "third.1")
    remove_staged(tmp_path, "third.1", NOW + timedelta(minutes=1))
    assert [path.name for path in (tmp_path / STAGING).iterdir()] == ["v1767225601_20260101"]


async def test_a_reservation_that_outlived_its_publication_is_removed_at_once(tmp_path: Path) -> None:
    publish(reserve(tmp_path, NOW, "killed.1"))
    assert list((tmp_path / STAGING).iterdir())
    await remove_all(tmp_path, NOW, knows())
    assert not list((tmp_path / STAGING).iterdir())
