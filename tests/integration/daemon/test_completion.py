"""The last transaction of a job writes its row and the model's, and decides nothing by itself."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.stub_model import stub_model
from tests.support.registered import activate, active, changes, publish
from tests.support.shop import Shop
from worker.daemon.completion import publish_and_complete
from worker.database.connection import Database
from worker.queue.jobs import JobQueue
from worker.registry.folder import reserve

VERSIONS = ("v1_20260101",)


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    """A shop without products: nothing is trained here."""
    return Shop(database, tmp_path / "storage", tmp_path / "models")


async def test_a_model_that_was_decided_against_is_registered_with_the_reason(shop: Shop) -> None:
    publish(shop, VERSIONS[0])
    activate(shop, VERSIONS[0])
    queue = JobQueue("worker-7", 60)
    job_id = shop.insert_job()
    async with Database(shop.database) as pool:
        async with pool.transaction() as connection:
            claim = await queue.claim(connection)
        assert claim
        shop.models.mkdir(exist_ok=True)
        folder = reserve(shop.models, claim.started_at, claim.name)
        model = replace(stub_model(VERSIONS[0], activate=False), skipped={"truncated": 2, "missing": 1})
        reason = "It is worse. " * 100
        model = replace(model, promotion=replace(model.promotion, reason=reason))
        await publish_and_complete(pool, queue, claim, folder, model)
    assert active(shop) == VERSIONS[0]
    assert changes(shop) == [(None, VERSIONS[0])]
    [row] = [model for model in shop.models_in_database() if model["Version"] == folder.version]
    assert len(row["Notes"]) == 1000
    assert row["Notes"].startswith("Not activated: It is worse. It is worse.")
    assert row["Notes"].endswith("… 3 photos were left out: 2 truncated, 1 missing.")
    job = shop.job(job_id)
    assert (job["Status"], job["ResultModelVersion"]) == ("Completed", folder.version)
    assert job["Result"] == {
        "version": folder.version,
        "activated": False,
        "reason": reason,
        "accuracy": {"top1": 1.0, "top3": 1.0, "photos": 10, "products": 2},
        "advice": [],
    }
