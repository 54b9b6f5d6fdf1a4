"""A claim whose model is ready to be published, without a worker or a child."""

import psycopg

from tests.support.shop import Shop
from worker.queue.claim import Claim
from worker.queue.jobs import JobQueue
from worker.registry.folder import VersionFolder, reserve

QUEUE = JobQueue("worker", 60)


async def trained(shop: Shop) -> tuple[Claim, VersionFolder]:
    """Insert a job, claim it, and stage a model of one file."""
    shop.insert_job()
    async with await psycopg.AsyncConnection.connect(shop.database, autocommit=True) as connection:
        claim = await QUEUE.claim(connection)
    assert claim
    shop.models.mkdir(exist_ok=True)
    folder = reserve(shop.models, claim.started_at, claim.name)
    (folder.staged / "model.json").write_text("{}")
    return claim, folder
