"""A last commit of which its worker hears nothing: what was committed stays, whatever ended the worker's wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.faults.backend import commits_held, wait_for_commit
from tests.shop import Shop
from worker.daemon.deployment import deploy
from worker.database.connection import Database
from worker.queue.jobs import Claim, JobQueue
from worker.registry.folder import VersionFolder, reserve
from worker.training.job import Accuracy, TrainedModel

TRAINED = TrainedModel(Accuracy(1.0, 1.0, 10, 2), 10, 2, {})
QUEUE = JobQueue("worker", 60)
# As a server that waits for its standby: the commit has happened, and cancelling only ends the wait.
PAST_CANCELLING = """CREATE OR REPLACE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL;
    EXCEPTION WHEN query_canceled THEN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END'"""


class GoneAfterCommit(Database):
    """Its first commit goes through as its worker is being cancelled; after that, Postgres is away."""

    commits = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        if self.commits:
            raise psycopg.OperationalError("Postgres is away")
        async with super().transaction() as connection:
            yield connection
        self.commits += 1
        raise asyncio.CancelledError


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    """A shop without products: nothing is trained here."""
    return Shop(database, tmp_path / "storage", tmp_path / "models")


async def trained(shop: Shop) -> tuple[Claim, VersionFolder]:
    shop.insert_job()
    async with await psycopg.AsyncConnection.connect(shop.database, autocommit=True) as connection:
        claim = await QUEUE.claim(connection)
    assert claim
    folder = reserve(shop.models, claim.started_at, claim.name)
    (folder.staged / "model.json").write_text("{}")
    return claim, folder


def published(shop: Shop) -> list[str]:
    """The versions in the database; those on the disk must be the same."""
    versions = [model["Version"] for model in shop.models_in_database()]
    assert versions == [path.name for path in shop.models.glob("v*")]
    return versions


async def cancel_in_commit(shop: Shop, pool: Database, *, past_cancelling: bool) -> VersionFolder:
    claim, folder = await trained(shop)
    with commits_held(shop):
        if past_cancelling:
            with shop.connect() as connection:
                connection.execute(PAST_CANCELLING)
        deploying = asyncio.create_task(deploy(pool, QUEUE, claim, folder, TRAINED))
        await asyncio.to_thread(wait_for_commit, shop)
        deploying.cancel()
        # psycopg has the server cancel a statement, and gives it 5 s to do so.
        await asyncio.wait({deploying}, timeout=6)
    with pytest.raises(asyncio.CancelledError):
        await deploying
    return folder


async def test_a_commit_that_goes_through_after_its_worker_was_cancelled_keeps_its_model(shop: Shop) -> None:
    async with Database(shop.database) as pool:
        folder = await cancel_in_commit(shop, pool, past_cancelling=True)
    assert published(shop) == [folder.version]


async def test_a_commit_that_is_cancelled_with_its_worker_leaves_no_folder(shop: Shop) -> None:
    async with Database(shop.database) as pool:
        await cancel_in_commit(shop, pool, past_cancelling=False)
    assert published(shop) == []


async def test_a_model_stays_where_nobody_can_be_asked_whether_it_was_committed(shop: Shop) -> None:
    claim, folder = await trained(shop)
    async with GoneAfterCommit(shop.database) as pool:
        with pytest.raises(asyncio.CancelledError):
            await deploy(pool, QUEUE, claim, folder, TRAINED)
    assert published(shop) == [folder.version]


async def test_a_model_stays_when_its_jobs_row_is_deleted_before_the_commit_was_heard_of(shop: Shop) -> None:
    claim, folder = await trained(shop)
    async with Database(shop.database) as pool:
        await deploy(pool, QUEUE, claim, folder, TRAINED)
        with shop.connect() as connection:
            connection.execute('DELETE FROM "TrainingJobs"')
        await deploy(pool, QUEUE, claim, folder, TRAINED)
    assert published(shop) == [folder.version]
