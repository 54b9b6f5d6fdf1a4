"""Locks of other sessions: nobody waits for the worker in a circle, and no attempt is used up by waiting."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from structlog.testing import CapturingLogger

from tests.faults.backend import models_locked, wait_for_deploy
from tests.faults.deploying import QUEUE, trained
from tests.faults.stub_model import stub_model
from tests.support.in_process import daemon_of
from tests.support.registered import activate, active, assert_audit_holds, changes, publish
from tests.support.shop import Shop
from tests.support.waiting import wait_until
from worker.daemon.completion import publish_and_complete
from worker.daemon.last_write import LastWrite
from worker.database.connection import Database
from worker.events import Event
from worker.queue.claim import CancelRequested, Claim, Progress
from worker.queue.lease import Lease
from worker.queue.retry import WHILE_LOCKED
from worker.registry.folder import VersionFolder

FIRST, SECOND = "v1_20260101", "v2_20260101"
LEASE_SECONDS = 6.0
ACTIVATE = "SELECT activate_model(%s)"
CANCEL = "SELECT cancel_training_job(%s)"


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    """A shop without products, with two complete models; the first is active."""
    shop = Shop(database, tmp_path / "storage", tmp_path / "models")
    publish(shop, FIRST, SECOND)
    activate(shop, FIRST)
    return shop


@pytest.fixture
def backend(shop: Shop) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A session of the backend; each test begins a transaction in it. In a deadlock it is the one that fails."""
    with shop.connect() as connection:
        with suppress(InsufficientPrivilege):
            connection.execute("SET deadlock_timeout = '10ms'")
        yield connection


def deploy(
    pool: Database, claim: Claim, folder: VersionFolder, log: CapturingLogger | None = None
) -> "asyncio.Task[None]":
    """Publish in the background as an attempt does, with all its tries."""
    last_write = LastWrite(pool, QUEUE, Lease(pool, QUEUE, claim, time.monotonic()), log or CapturingLogger())

    async def write() -> None:
        await publish_and_complete(pool, QUEUE, claim, folder, stub_model(FIRST))

    return asyncio.create_task(last_write.until_written(write))


def is_awaited(log: CapturingLogger) -> bool:
    return any(call.args == (Event.LOCK_AWAITED,) for call in log.calls)


async def test_a_backend_that_activates_and_then_cancels_does_not_deadlock_with_a_deploy(
    shop: Shop, backend: psycopg.Connection[dict[str, Any]]
) -> None:
    claim, folder = await trained(shop)
    async with Database(shop.database) as pool:
        with backend.transaction():
            backend.execute(ACTIVATE, (SECOND,))
            deploying = deploy(pool, claim, folder)
            await asyncio.to_thread(wait_for_deploy, shop)
            row = await asyncio.to_thread(lambda: backend.execute(CANCEL, (claim.job_id,)).fetchone())
        assert row == {"cancel_training_job": True}
        with pytest.raises(CancelRequested):
            await deploying
    assert active(shop) == SECOND
    assert not folder.published.exists()
    assert_audit_holds(shop)


async def test_a_backend_that_cancels_and_then_activates_does_not_deadlock_with_a_deploy(
    shop: Shop, backend: psycopg.Connection[dict[str, Any]]
) -> None:
    claim, folder = await trained(shop)
    log = CapturingLogger()
    async with Database(shop.database) as pool:
        with backend.transaction():
            backend.execute(CANCEL, (claim.job_id,))
            deploying = deploy(pool, claim, folder, log)
            await asyncio.to_thread(wait_until, lambda: is_awaited(log), "the log to say so")
            await asyncio.to_thread(backend.execute, ACTIVATE, (SECOND,))
        with pytest.raises(CancelRequested):
            await deploying
    assert active(shop) == SECOND
    assert_audit_holds(shop)


async def test_a_deploy_waits_for_a_locked_model_before_it_locks_anything(
    shop: Shop, backend: psycopg.Connection[dict[str, Any]]
) -> None:
    claim, folder = await trained(shop)
    async with Database(shop.database) as pool:
        with backend.transaction():
            backend.execute('SELECT FROM "ModelMetadata" WHERE "IsActive" FOR UPDATE')
            deploying = deploy(pool, claim, folder)
            await asyncio.to_thread(wait_for_deploy, shop)
            await asyncio.to_thread(backend.execute, CANCEL, (claim.job_id,))
        with pytest.raises(CancelRequested):
            await deploying


async def test_a_lease_is_renewed_and_a_cancel_is_heard_while_a_deploy_waits(shop: Shop) -> None:
    claim, folder = await trained(shop)
    async with Database(shop.database) as pool:
        with models_locked(shop):
            deploying = deploy(pool, claim, folder)
            await asyncio.to_thread(wait_for_deploy, shop)
            async with await psycopg.AsyncConnection.connect(shop.database, autocommit=True) as connection:
                await connection.execute("SET lock_timeout = '5s'")
                await QUEUE.renew(connection, claim, Progress(99, "Publishing the model"))
                await connection.execute(CANCEL, (claim.job_id,))
            with pytest.raises(CancelRequested):
                await deploying
    assert not folder.published.exists()


async def test_a_table_that_is_held_for_longer_than_the_lease_costs_no_attempt(shop: Shop) -> None:
    async with daemon_of(shop.database, shop.models.parent, lease_seconds=LEASE_SECONDS) as daemon:
        # Beside an active model there would be nothing to train.
        with shop.connect() as connection:
            connection.execute('UPDATE "ModelMetadata" SET "IsActive" = false')
        job_id = shop.insert_job()
        with models_locked(shop):
            working = asyncio.create_task(daemon.work(until_idle=True))
            await asyncio.to_thread(wait_for_deploy, shop)
            until = shop.job(job_id)["LeasedUntil"]

            def is_renewed() -> bool:
                job = shop.job(job_id)
                assert (job["Status"], job["LeaseVersion"]) == ("Running", 1), "the attempt is over"
                return bool((job["LeasedUntil"] - until).total_seconds() > LEASE_SECONDS)

            await asyncio.to_thread(wait_until, is_renewed, "the lease to be renewed for longer than it was")
        await working
    job = shop.job(job_id)
    assert (job["Status"], job["AttemptCount"]) == ("Completed", 1)
    assert changes(shop)[-1] == (None, job["ResultModelVersion"])


async def test_an_idle_worker_asks_ever_more_seldom_for_a_due_job_that_somebody_has_locked(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = shop.insert_job()
    pauses: list[float] = []
    async with daemon_of(shop.database, shop.models.parent) as daemon:
        with shop.connect() as backend:
            backend.execute("BEGIN")
            backend.execute('SELECT FROM "TrainingJobs" FOR UPDATE')

            async def pause(seconds: float) -> None:
                pauses.append(seconds)
                if len(pauses) == 10:
                    backend.execute("ROLLBACK")
                if shop.job(job_id)["Status"] == "Completed":
                    daemon.shutdown.asked.set()

            monkeypatch.setattr(daemon, "_pause", pause)
            await daemon.work(until_idle=False)
    *beside_lock, idle = pauses
    assert len(beside_lock) == 10, "the job was claimed at the first look after the lock was gone"
    assert sum(beside_lock) > 5
    assert max(beside_lock) <= WHILE_LOCKED.longest
    assert idle == daemon.settings.poll_seconds
