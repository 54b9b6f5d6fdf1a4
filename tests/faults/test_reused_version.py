"""The version of a worker that seemed dead is not reserved again: if it returned, it could damage the other model."""

from datetime import UTC, datetime
from pathlib import Path

from worker.registry.folder import STAGING, discard, publish, reserve, unpublish
from worker.registry.orphans import Orphans, remove_orphans

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def nobody(_: str) -> bool:
    return False


async def test_the_version_of_a_stale_worker_stays_its_own(tmp_path: Path) -> None:
    stale = reserve(tmp_path, NOW, "stale.1")
    orphans = await remove_orphans(tmp_path, nobody, nobody, nobody, nobody)
    assert orphans == Orphans(removed=[stale.staged], left=[])
    other = reserve(tmp_path, NOW, "other.1")
    assert other.version != stale.version
    publish(other)
    discard(stale)
    unpublish(stale)
    assert other.published.is_dir()


async def test_a_reservation_that_outlived_its_publication_is_removed_at_once(tmp_path: Path) -> None:
    publish(reserve(tmp_path, NOW, "killed.1"))
    assert list((tmp_path / STAGING).iterdir())
    await remove_orphans(tmp_path, nobody, nobody, nobody, nobody)
    assert not list((tmp_path / STAGING).iterdir())
