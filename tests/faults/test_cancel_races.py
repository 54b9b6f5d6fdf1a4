"""A cancel at the same time as the job's last write: the first one wins, completely."""

import asyncio
import random
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.errors import LockNotAvailable

from tests.faults.stub_model import stub_model
from worker.daemon.completion import publish_and_complete
from worker.database.connection import Database
from worker.queue.claim import CancelRequested, Claim
from worker.queue.jobs import JobQueue
from worker.registry.folder import VersionFolder, discard, reserve

Backend = psycopg.AsyncConnection[Any]

RACES = 200
QUEUE = JobQueue("racer", 60)


async def value(backend: Backend, query: str, *values: object) -> Any:
    row = await (await backend.execute(query, values)).fetchone()
    return row[0] if row else None


async def claimed(database: Database, backend: Backend) -> Claim:
    await backend.execute('INSERT INTO "TrainingJobs" DEFAULT VALUES')
    async with database.transaction() as connection:
        claim = await QUEUE.claim(connection)
    assert claim
    return claim


def trained(models: Path, claim: Claim, number: int) -> VersionFolder:
    # Another second for each race, so that none has to skip the versions of those before it.
    folder = reserve(models, claim.started_at + timedelta(seconds=10 * number), claim.name)
    (folder.staged / "model.json").write_text(str(claim.job_id))
    return folder


async def cancel(backend: Backend, job_id: UUID) -> bool:
    """Run the statement in docs/contract.md; return whether the job was unfinished."""
    cursor = await backend.execute(
        """UPDATE "TrainingJobs" SET "CancelRequestedAt" = now()
        WHERE "Id" = %s AND "Status" IN ('Pending', 'Running')""",
        (job_id,),
    )
    return cursor.rowcount == 1


async def publish_at_last(
    database: Database, claim: Claim, folder: VersionFolder, active: str | None
) -> None:
    """Publish as soon as the cancel does not hold the row."""
    while True:
        try:
            await publish_and_complete(database, QUEUE, claim, folder, stub_model(active))
            return
        except LockNotAvailable:
            await asyncio.sleep(0.001)


async def finish(database: Database, claim: Claim, folder: VersionFolder, active: str | None) -> bool:
    """Do the last steps of an attempt after the child's Finished; return whether the job completed."""
    try:
        await publish_at_last(database, claim, folder, active)
    except CancelRequested:
        async with database.transaction() as connection:
            await QUEUE.cancel(connection, claim)
        return False
    finally:
        discard(folder)
    return True


async def test_of_a_cancel_and_the_last_transaction_exactly_one_wins(database: str, tmp_path: Path) -> None:
    completed = cancelled = 0
    usual = 0.005
    active = None
    async with (
        Database(database) as pool,
        await psycopg.AsyncConnection.connect(database, autocommit=True) as backend,
    ):
        for number in range(RACES):
            claim = await claimed(pool, backend)
            folder = trained(tmp_path, claim, number)
            finishing = asyncio.create_task(finish(pool, claim, folder, active))
            # About as long as the last transaction takes, however busy the machine is: each wins half of the races.
            await asyncio.sleep(random.uniform(0, 1.5 * usual))
            was_heard = await cancel(backend, claim.job_id)
            has_completed = await finishing
            assert was_heard is not has_completed

            query = 'SELECT "Status" FROM "TrainingJobs" WHERE "Id" = %s'
            status = await value(backend, query, claim.job_id)
            active = await value(backend, 'SELECT "Version" FROM "ModelMetadata" WHERE "IsActive"')
            query = 'SELECT count(*) FROM "ModelMetadata" WHERE "Version" = %s'
            registered = await value(backend, query, folder.version)
            if has_completed:
                completed += 1
                usual /= 1.1
                assert (status, registered, active) == ("Completed", 1, folder.version)
                assert (folder.published / "model.json").read_text() == str(claim.job_id)
            else:
                cancelled += 1
                usual *= 1.1
                assert (status, registered) == ("Cancelled", 0)
                assert not folder.published.exists()
            assert not folder.staged.parent.exists()
    assert len(list(tmp_path.glob("v*"))) == completed
    assert completed > 0, "no race was won by the job"
    assert cancelled > 0, "no race was won by the cancel"
