"""The last commit gets no answer: its result stays, whatever ended the worker's wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.faults.backend import commits_held, wait_for_commit, wait_for_deploy
from tests.faults.deploying import QUEUE, trained
from tests.faults.stub_model import stub_model
from tests.support.registered import activate, assert_audit_holds, changes, publish
from tests.support.shop import Shop
from tests.support.waiting import DEADLINE
from worker.daemon.completion import ActiveModelChanged, keep_active, publish_and_complete
from worker.database.connection import Database
from worker.registry.folder import VersionFolder

TRAINED = stub_model(None)
# As with synchronous replication: the transaction is committed, and a cancel ends only the wait. Postgres sends
# SIGINT to a process and then to its group: where other programs run, that is two cancels.
PAST_CANCELLING = """CREATE OR REPLACE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        PERFORM pg_advisory_xact_lock(1);
    EXCEPTION WHEN query_canceled THEN
        PERFORM pg_advisory_xact_lock(1);
    END;
    RETURN NULL;
EXCEPTION WHEN query_canceled THEN
    PERFORM pg_advisory_xact_lock(1);
    RETURN NULL;
END
$$"""


class GoneAfterCommit(Database):
    """The first commit succeeds while its task is cancelled; after that, Postgres is unavailable."""

    commits = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        if self.commits:
            raise psycopg.OperationalError("Postgres is away")
        async with super().transaction() as connection:
            yield connection
        self.commits += 1
        raise asyncio.CancelledError


class CommitsInVain(Database):
    """Postgres is lost before the first commit, and is back for the next transaction."""

    outages = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        async with super().transaction() as connection:
            yield connection
            self.outages += 1
            if self.outages == 1:
                raise psycopg.OperationalError("Postgres goes away")


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    """A shop without products: these tests train nothing."""
    return Shop(database, tmp_path / "storage", tmp_path / "models")


def published(shop: Shop) -> list[str]:
    """Return the versions in the database; assert that those on the disk are the same."""
    versions = [model["Version"] for model in shop.models_in_database()]
    assert versions == [path.name for path in shop.models.glob("v*")]
    return versions


async def cancel_in_commit(shop: Shop, pool: Database, *, past_cancelling: bool) -> VersionFolder:
    claim, folder = await trained(shop)
    with commits_held(shop):
        if past_cancelling:
            with shop.connect() as connection:
                connection.execute(PAST_CANCELLING)
        deploying = asyncio.create_task(publish_and_complete(pool, QUEUE, claim, folder, TRAINED))
        await asyncio.to_thread(wait_for_commit, shop)
        deploying.cancel()
        if past_cancelling:
            # psycopg asks the server to cancel the statement, waits 5 s for it, and closes its connection.
            await asyncio.to_thread(wait_for_deploy, shop)
        else:
            await asyncio.wait({deploying}, timeout=DEADLINE)
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
            await publish_and_complete(pool, QUEUE, claim, folder, TRAINED)
    assert published(shop) == [folder.version]


async def test_a_model_stays_when_its_jobs_row_is_deleted_before_the_commit_was_heard_of(shop: Shop) -> None:
    claim, folder = await trained(shop)
    async with Database(shop.database) as pool:
        await publish_and_complete(pool, QUEUE, claim, folder, TRAINED)
        with shop.connect() as connection:
            connection.execute('DELETE FROM "TrainingJobs"')
        await publish_and_complete(pool, QUEUE, claim, folder, TRAINED)
    assert published(shop) == [folder.version]


async def test_a_model_whose_commit_failed_is_staged_again_when_another_was_activated_since(
    shop: Shop,
) -> None:
    """The child decides again, and writes the decision into the staged folder."""
    claim, folder = await trained(shop)
    async with CommitsInVain(shop.database) as pool:
        with pytest.raises(psycopg.OperationalError):
            await publish_and_complete(pool, QUEUE, claim, folder, TRAINED)
        assert folder.published.exists()
        # A starting worker removes the reservation of a version that seems to be published.
        folder.staged.parent.rmdir()
        publish(shop, "v1_20260101")
        activate(shop, "v1_20260101")
        with pytest.raises(ActiveModelChanged) as raised:
            await publish_and_complete(pool, QUEUE, claim, folder, TRAINED)
        assert raised.value.version == "v1_20260101"
        assert (folder.staged / "model.json").exists()
        assert not folder.published.exists()
        await publish_and_complete(pool, QUEUE, claim, folder, stub_model("v1_20260101"))
    assert {path.name for path in shop.models.glob("v*")} == {"v1_20260101", folder.version}
    assert changes(shop) == [(None, "v1_20260101"), ("v1_20260101", folder.version)]
    assert_audit_holds(shop)


async def test_a_job_with_nothing_to_train_is_completed_once_although_its_commit_was_not_heard_of(
    shop: Shop,
) -> None:
    publish(shop, "v1_20260101")
    activate(shop, "v1_20260101")
    claim, _ = await trained(shop)
    async with Database(shop.database) as pool:
        await keep_active(pool, QUEUE, claim, shop.models, "v1_20260101")
        with shop.connect() as connection:
            connection.execute('UPDATE "ModelMetadata" SET "IsActive" = false')
        row = shop.job(claim.job_id)
        await keep_active(pool, QUEUE, claim, shop.models, "v1_20260101")
    assert shop.job(claim.job_id) == row
    assert row["Status"] == "Completed"
