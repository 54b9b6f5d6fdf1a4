"""The worker of the version before beside today's schema, and today's worker beside the schema before."""

from pathlib import Path

import pytest

from tests.faults.earlier import migrate_as, unpack
from tests.faults.workers import Workers
from tests.support.registered import active, changes
from tests.support.shop import Shop
from worker.database.migrate import MIGRATIONS, migrate, pending, refuse_pending
from worker.errors import UserError
from worker.events import Event


@pytest.fixture
def shop(empty_database: str, tmp_path: Path) -> Shop:
    """A shop whose database nobody has migrated yet."""
    return Shop(empty_database, tmp_path / "storage", tmp_path / "models")


def test_the_worker_before_starts_and_runs_beside_todays_schema(
    shop: Shop, workers: Workers, tmp_path: Path
) -> None:
    before = unpack(tmp_path / "before")
    assert migrate_as(before, shop).count(Event.MIGRATION_APPLIED) == 7

    later = sorted(file.stem for file in MIGRATIONS.glob("*.sql"))[7:]
    assert pending(shop.database, MIGRATIONS) == later
    with pytest.raises(
        UserError, match=rf"^The database lacks {', '.join(later)}: run `worker migrate` first\.$"
    ):
        refuse_pending(shop.database)
    job = shop.insert_job()
    assert migrate(shop.database, MIGRATIONS) == later

    assert Event.MIGRATION_APPLIED not in migrate_as(before, shop)
    workers.code = before
    workers.run_until_idle()
    row = shop.job(job)
    assert row["Status"] == "Completed"
    assert active(shop) == row["ResultModelVersion"]
    assert changes(shop) == [(None, row["ResultModelVersion"])]
    assert migrate(shop.database, MIGRATIONS) == []
