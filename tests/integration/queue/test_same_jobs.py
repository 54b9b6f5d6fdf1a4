"""Which waiting jobs one job takes along: those whose edits its training sees, and that want the same."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tests.support.shop import AS_WORKER
from worker.job.options import ASIDE, Options
from worker.queue.claim import Claim
from worker.queue.coalesce import MOST, Same, coalesce, same_jobs
from worker.queue.jobs import JobQueue

Connection = psycopg.AsyncConnection[Any]

QUEUE = JobQueue("w", 60)
VERSION = "v1767225600_20260101"
RESULT = {"version": VERSION, "activated": True}


@pytest.fixture
async def backend(shared_database: str) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(shared_database, autocommit=True) as connection:
        yield connection
        await connection.execute('DELETE FROM "TrainingJobs"')


async def insert(connection: Connection, options: object = None, **columns: object) -> UUID:
    given: dict[str, object] = {"Options": Jsonb({} if options is None else options)} | columns
    names = ", ".join(f'"{name}"' for name in given)
    query = f'INSERT INTO "TrainingJobs" ({names}) VALUES ({", ".join(["%s"] * len(given))}) RETURNING "Id"'
    row = await (await connection.execute(query.encode(), list(given.values()))).fetchone()
    assert row
    return UUID(str(row[0]))


async def begin(connection: Connection) -> Claim:
    """Claim the job with the highest priority, which a test inserts with `Priority=5`."""
    async with connection.transaction():
        claim = await QUEUE.claim(connection)
    assert claim
    return claim


async def seen(connection: Connection, claim: Claim) -> list[Same]:
    return await same_jobs(connection, QUEUE, claim, Options().model_dump(mode="json"), ASIDE)


async def end(connection: Connection, claim: Claim, same: list[Same]) -> set[UUID]:
    """Complete the claimed job, and return the jobs that it took along."""
    async with connection.transaction():
        await QUEUE.complete(connection, claim, VERSION, RESULT)
        return set(await coalesce(connection, claim, same, VERSION, RESULT))


async def row(connection: Connection, job: UUID) -> dict[str, Any]:
    cursor = connection.cursor(row_factory=dict_row)
    found = await (await cursor.execute('SELECT * FROM "TrainingJobs" WHERE "Id" = %s', (job,))).fetchone()
    assert found
    return found


async def test_options_that_say_the_same_are_the_same(backend: Connection) -> None:
    mine = {"profile": "quick", "time_budget_seconds": 60}
    taken: list[object] = [
        mine,
        mine | {"seed": 0, "promote": "auto", "negatives": [], "epochs": None},
        mine | {"time_budget_seconds": 60.0},
        mine | {"force": True},
        mine | {"coalesce": True},
        mine | {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
    ]
    left: list[object] = [
        {},
        mine | {"profile": "standard"},
        mine | {"seed": 1},
        mine | {"promote": "never"},
        mine | {"negatives": ["CUP"]},
        mine | {"coalesce": False},
        mine | {"coalesce": "yes"},
        mine | {"force": 1},
        mine | {"epoch": 3},
        [mine],
        "quick",
    ]
    await insert(backend, mine, Priority=5)
    expected = {await insert(backend, options) for options in taken}
    for options in left:
        await insert(backend, options)
    claim = await begin(backend)
    same = await seen(backend, claim)
    assert {each.job_id for each in same} == expected
    assert [bool(each.forced) for each in same].count(True) == 1


async def test_only_what_was_due_and_not_cancelled_is_taken(backend: Connection) -> None:
    await insert(backend, Priority=5)
    due = await insert(backend, RunAfter="-infinity")
    await insert(backend, RunAfter="2100-01-01")
    await insert(backend, CancelRequestedAt="now")
    passed_over = await insert(backend)
    QUEUE.passed_over[passed_over] = "odd"
    try:
        claim = await begin(backend)
        assert [each.job_id for each in await seen(backend, claim)] == [due]
    finally:
        QUEUE.passed_over.clear()


async def test_a_job_is_taken_only_if_the_training_sees_what_was_committed_before_it(
    shared_database: str, backend: Connection
) -> None:
    """Whatever the backend's clock says, and however long its transaction has been open."""
    await insert(backend, Priority=5)
    ahead = await insert(backend, CreatedAt="2100-01-01")
    async with await psycopg.AsyncConnection.connect(shared_database) as editor:
        # Its "CreatedAt" and "RunAfter" are the time at which this begins.
        await editor.execute('INSERT INTO "Products" ("SKU", "Name") VALUES (%s, %s)', ("CUP", "Cup"))
        async with editor.transaction():
            unseen = await insert(editor)
        claim = await begin(backend)
        same = await seen(backend, claim)
        await editor.commit()
    behind = await insert(backend, CreatedAt="2001-01-01", RunAfter="2001-01-01")
    before = (await row(backend, unseen))["CreatedAt"]
    assert before < (await row(backend, claim.job_id))["StartedAt"]
    assert await end(backend, claim, same) == {ahead}
    for job in (unseen, behind):
        assert (await row(backend, job))["Status"] == "Pending"


async def test_what_was_taken_along_has_ended_like_the_job_itself(backend: Connection) -> None:
    await insert(backend, Priority=5)
    other = await insert(backend)
    await backend.execute(AS_WORKER)
    # It was tried before, and waits to be tried again.
    await backend.execute(
        """UPDATE "TrainingJobs" SET "ErrorCode" = 'storage_unavailable', "ErrorMessage" = 'gone', "AttemptCount" = 1,
        "LeaseVersion" = 1, "StartedAt" = now() - interval '1 hour' WHERE "Id" = %s""",
        (other,),
    )
    claim = await begin(backend)
    assert await end(backend, claim, await seen(backend, claim)) == {other}
    mine, theirs = await row(backend, claim.job_id), await row(backend, other)
    same = (
        "Status",
        "ProgressPercentage",
        "CurrentStage",
        "CompletedAt",
        "ResultModelVersion",
        "ErrorCode",
        "ErrorMessage",
    )
    assert {name: theirs[name] for name in same} == {name: mine[name] for name in same}
    assert theirs["Status"] == "Completed"
    assert mine["Result"] == RESULT
    assert theirs["Result"] == RESULT | {"coalesced_into": str(claim.job_id)}
    assert (theirs["AttemptCount"], theirs["LeaseVersion"]) == (1, 1)
    assert theirs["DurationSeconds"] >= 3600
    how = await QUEUE.end_of(backend, other)
    assert how
    assert how.is_coalesced


@pytest.mark.parametrize(
    "happens",
    [
        """UPDATE "TrainingJobs" SET "Priority" = 1 WHERE "Id" = %s""",
        """UPDATE "TrainingJobs" SET "Options" = '{"seed": 1}' WHERE "Id" = %s""",
        "SELECT cancel_training_job(%s)",
        """DELETE FROM "TrainingJobs" WHERE "Id" = %s""",
    ],
)
async def test_a_row_that_changed_meanwhile_is_left(backend: Connection, happens: str) -> None:
    await insert(backend, Priority=5)
    other = await insert(backend)
    claim = await begin(backend)
    same = await seen(backend, claim)
    await backend.execute(happens.encode(), (other,))
    assert await end(backend, claim, same) == set()


async def test_a_job_that_was_tried_again_after_an_edit_is_left(backend: Connection) -> None:
    """It is the row that was seen, and due then, but not what its backend wants now."""
    await insert(backend, Priority=5)
    other = await insert(backend)
    claim = await begin(backend)
    same = await seen(backend, claim)
    await backend.execute("SELECT cancel_training_job(%s)", (other,))
    await backend.execute("SELECT retry_training_job(%s)", (other,))
    await backend.execute("""UPDATE "TrainingJobs" SET "RunAfter" = '2001-01-01' WHERE "Id" = %s""", (other,))
    assert await end(backend, claim, same) == set()
    assert (await row(backend, other))["Status"] == "Pending"


async def test_a_row_that_somebody_has_locked_is_not_waited_for(
    shared_database: str, backend: Connection
) -> None:
    await insert(backend, Priority=5)
    locked, free = await insert(backend), await insert(backend)
    claim = await begin(backend)
    same = await seen(backend, claim)
    async with await psycopg.AsyncConnection.connect(shared_database) as other:
        await other.execute('SELECT FROM "TrainingJobs" WHERE "Id" = %s FOR UPDATE', (locked,))
        assert await end(backend, claim, same) == {free}
    assert (await row(backend, locked))["Status"] == "Pending"


async def test_a_row_that_the_database_refuses_costs_the_job_nothing(backend: Connection) -> None:
    await insert(backend, Priority=5)
    odd, good = await insert(backend, Priority=-13), await insert(backend)
    await backend.execute(
        """ALTER TABLE "TrainingJobs" ADD CONSTRAINT odd CHECK ("Priority" <> -13 OR "Status" = 'Pending')"""
    )
    claim = await begin(backend)
    assert await end(backend, claim, await seen(backend, claim)) == set()
    await backend.execute('ALTER TABLE "TrainingJobs" DROP CONSTRAINT odd')
    assert (await row(backend, claim.job_id))["Status"] == "Completed"
    for job in (odd, good):
        assert (await row(backend, job))["Status"] == "Pending"


async def test_one_job_takes_no_more_along_than_one_transaction_should_write(backend: Connection) -> None:
    await insert(backend, Priority=5)
    await backend.execute(
        'INSERT INTO "TrainingJobs" ("MaxAttempts") SELECT 3 FROM generate_series(1, %s)', (MOST + 1,)
    )
    claim = await begin(backend)
    assert len(await end(backend, claim, await seen(backend, claim))) == MOST
