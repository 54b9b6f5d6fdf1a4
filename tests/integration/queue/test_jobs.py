"""The queue on a real Postgres: every job is claimed once, in order, and only its holder can write to it."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.errors import LockNotAvailable

from tests.support.shop import AS_WORKER
from tests.support.waiting import DEADLINE
from worker.errors import ErrorCode
from worker.queue.claim import Claim, JobStatus, LeaseLost, Progress, State
from worker.queue.jobs import JobQueue
from worker.queue.wakeup import Wakeup

Connection = psycopg.AsyncConnection[Any]


@asynccontextmanager
async def connected(database: str) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        yield connection


async def insert(connection: Connection, columns: str = "DEFAULT VALUES") -> UUID:
    row = await (await connection.execute(f'INSERT INTO "TrainingJobs" {columns} RETURNING "Id"')).fetchone()
    assert row
    return UUID(str(row[0]))


async def claim_all(database: str, worker_id: str) -> list[Claim]:
    queue, claims = JobQueue(worker_id, 60), []
    async with connected(database) as connection:
        while claim := await claim_alone(queue, connection):
            claims.append(claim)
            await complete_at_last(queue, connection, claim)
    return claims


async def complete_at_last(queue: JobQueue, connection: Connection, claim: Claim) -> None:
    """Complete a job as soon as nobody has its row: one who claims beside this worker can have it for a moment."""
    while True:
        try:
            return await queue.complete(connection, claim, "v1")
        except LockNotAvailable:
            await asyncio.sleep(0.001)


async def claim_alone(queue: JobQueue, connection: Connection) -> Claim | None:
    """Claim the next job beside other workers that claim."""
    async with connection.transaction():
        return await queue.claim(connection)


async def value(connection: Connection, column: str, job: UUID) -> object:
    cursor = await connection.execute(f'SELECT "{column}" FROM "TrainingJobs" WHERE "Id" = %s', (job,))
    row = await cursor.fetchone()
    assert row
    return row[0]


async def test_fifty_jobs_and_four_workers_each_once(database: str) -> None:
    async with connected(database) as connection:
        inserted = {await insert(connection) for _ in range(50)}
    claimed = await asyncio.gather(*(claim_all(database, f"worker-{n}") for n in range(4)))
    ids = [claim.job_id for claims in claimed for claim in claims]
    assert len(ids) == 50
    assert set(ids) == inserted
    assert all(claim.lease_version == 1 for claims in claimed for claim in claims)


async def test_of_the_highest_priority_the_job_that_has_been_due_for_longest_goes_first(
    database: str,
) -> None:
    async with connected(database) as connection:
        first = await insert(connection)
        second = await insert(connection)
        urgent = await insert(connection, '("Priority") VALUES (5)')
        least = await insert(connection, """("Priority", "RunAfter") VALUES (-1, now() - interval '1 day')""")
        # Inserted long ago for now: it does not go before those that wait already.
        planned = await insert(
            connection, """("CreatedAt", "RunAfter") VALUES (now() - interval '1 day', now())"""
        )
        for priority in (-1, 0, 9):
            columns = f"""("Priority", "RunAfter") VALUES ({priority}, now() + interval '1 hour')"""
            await insert(connection, columns)
    expected = [urgent, first, second, planned, least]
    assert [claim.job_id for claim in await claim_all(database, "w")] == expected


async def test_due_jobs_go_by_priority_however_many_priorities_there_are(database: str) -> None:
    async with connected(database) as connection:
        planned = """SELECT n, now() + interval '1 hour' FROM generate_series(1, 250) AS n"""
        await insert(connection, f'("Priority", "RunAfter") {planned}')
        jobs = [await insert(connection, f'("Priority") VALUES ({n})') for n in (-1, 120, 30, 0, 200)]
        # Some are below the hundredth priority, and others above it.
        expected = [jobs[4], jobs[1], jobs[2], jobs[3], jobs[0]]
    assert [claim.job_id for claim in await claim_all(database, "w")] == expected


async def test_of_jobs_that_are_due_since_the_same_moment_the_oldest_goes_first(database: str) -> None:
    async with connected(database) as connection:
        jobs = [
            await insert(
                connection,
                f"""("CreatedAt", "RunAfter") VALUES (now() - interval '{hours} hours', '-infinity')""",
            )
            for hours in (2, 3, 1)
        ]
    expected = [jobs[1], jobs[0], jobs[2]]
    assert [claim.job_id for claim in await claim_all(database, "w")] == expected


async def test_a_job_that_somebody_has_locked_is_neither_claimed_nor_waited_for(database: str) -> None:
    queue = JobQueue("w", 60)
    async with connected(database) as connection, connected(database) as backend, backend.transaction():
        locked = await insert(connection, '("Priority") VALUES (5)')
        free = await insert(connection)
        await backend.execute('SELECT FROM "TrainingJobs" WHERE "Id" = %s FOR UPDATE', (locked,))
        assert await queue.claim(connection, locked) is None
        claim = await queue.claim(connection)
        assert claim
        assert claim.job_id == free
        assert await queue.claim(connection) is None


async def test_a_given_job_is_claimed_before_its_time(database: str) -> None:
    async with connected(database) as connection:
        await insert(connection)
        later = await insert(connection, """("RunAfter") VALUES (now() + interval '1 hour')""")
        claim = await JobQueue("w", 60).claim(connection, later)
        assert claim
        assert claim.job_id == later
        assert await JobQueue("w", 60).claim(connection, later) is None


async def test_who_holds_an_older_lease_can_write_nothing(database: str) -> None:
    queue = JobQueue("w", 60)
    async with connected(database) as connection:
        job = await insert(connection)
        stale = await queue.claim(connection)
        assert stale
        await connection.execute(AS_WORKER)
        await connection.execute("""UPDATE "TrainingJobs" SET "Status" = 'Pending'""")
        current = await queue.claim(connection)
        assert current
        assert current.lease_version == stale.lease_version + 1
        before = await value(connection, "UpdatedAt", job)
        for write in (
            queue.renew(connection, stale, Progress(50, "stale")),
            queue.complete(connection, stale, "v1"),
            queue.fail(connection, stale, ErrorCode.INTERNAL_ERROR, "stale"),
            queue.release(connection, stale, 20),
        ):
            with pytest.raises(LeaseLost, match=str(job)):
                await write
        assert await value(connection, "UpdatedAt", job) == before
        await queue.complete(connection, current, "v1")
        with pytest.raises(LeaseLost):
            await queue.renew(connection, current, Progress(50, "after the end"))
        assert await queue.look(connection, job) == State(JobStatus.COMPLETED, 2, "w", False)


async def test_progress_renews_the_lease_and_never_goes_back(database: str) -> None:
    queue = JobQueue("w", 60)
    async with connected(database) as connection:
        job = await insert(connection)
        claim = await queue.claim(connection)
        assert claim
        leased = await value(connection, "LeasedUntil", job)
        await queue.renew(connection, claim, Progress(40, "forty", 12.0))
        await queue.renew(connection, claim, Progress(30, "thirty"))
        assert await value(connection, "ProgressPercentage", job) == 40
        assert await value(connection, "CurrentStage", job) == "thirty"
        renewed = await value(connection, "LeasedUntil", job)
        assert renewed > leased  # type: ignore[operator]


async def test_progress_is_bounded_and_cleaned(database: str) -> None:
    queue = JobQueue("w", 60)
    async with connected(database) as connection:
        job = await insert(connection)
        claim = await queue.claim(connection)
        assert claim
        for percentage, left, expected in ((-5, 1e300, 0), (10**30, math.nan, 99), (150, -math.inf, 99)):
            await queue.renew(connection, claim, Progress(percentage, "a\0b\ud800" + "c" * 10_000, left))
            assert await value(connection, "ProgressPercentage", job) == expected
            assert await value(connection, "EstimatedCompletionAt", job) is None
        stage = await value(connection, "CurrentStage", job)
        assert str(stage).startswith("a\ufffdb\ufffdccc")
        assert len(str(stage)) == 4000
        result = {"reason": "a\0b", "accuracy": {"top1": math.nan}, "advice": [("\ud800", 1)]}
        await queue.complete(connection, claim, "v1", result)
        assert await value(connection, "Result", job) == {
            "reason": "a\ufffdb",
            "accuracy": {"top1": None},
            "advice": [["\ufffd", 1]],
        }


async def test_numbers_at_their_ends_do_not_overflow(database: str) -> None:
    queue = JobQueue("w", 60)
    async with connected(database) as connection:
        job = await insert(
            connection,
            """("AttemptCount", "InterruptionCount", "LeaseVersion") VALUES
            (2147483647, 2147483647, 9223372036854775807)""",
        )
        for lease in (1, 2):
            claim = await queue.claim(connection)
            assert claim
            assert (claim.attempt, claim.lease_version) == (2147483647, lease)
            await queue.release(connection, claim, 2**31)
        assert await value(connection, "InterruptionCount", job) == 2147483647


async def test_infinity_is_no_time_to_wait_for(database: str) -> None:
    queue = JobQueue("w", 60)
    async with connected(database) as connection:
        assert await queue.seconds_until_next(connection) is None
        job = await insert(connection, """("RunAfter") VALUES ('infinity')""")
        assert await queue.seconds_until_next(connection) == 24 * 3600
        await connection.execute("""UPDATE "TrainingJobs" SET "RunAfter" = '-infinity'""")
        assert await queue.seconds_until_next(connection) == 0
        queue.passed_over[job] = "odd"
        assert await queue.seconds_until_next(connection) is None
        assert await queue.claim(connection) is None


async def test_a_released_job_has_its_attempt_back(database: str) -> None:
    queue = JobQueue("w", 60)
    async with connected(database) as connection:
        job = await insert(connection)
        claim = await queue.claim(connection)
        assert claim
        await queue.release(connection, claim, 20)
        assert await value(connection, "Status", job) == "Pending"
        assert await value(connection, "AttemptCount", job) == 0
        again = await queue.claim(connection)
        assert again
        assert (again.attempt, again.lease_version) == (1, 2)


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("its worker is lost", "Failed"),
        ("its worker is lost after a cancel", "Cancelled"),
        ("it is interrupted too often", "Failed"),
        ("it is cancelled as it waits to be tried again", "Cancelled"),
    ],
)
async def test_a_job_that_had_started_ends_with_its_duration(database: str, ending: str, status: str) -> None:
    queue = JobQueue("w", 60)
    async with connected(database) as connection:
        job = await insert(connection, '("MaxAttempts") VALUES (1)')
        claim = await queue.claim(connection)
        assert claim
        await connection.execute(AS_WORKER)
        age = """UPDATE "TrainingJobs" SET "StartedAt" = "StartedAt" - interval '100 seconds',
            "LeasedUntil" = now() - interval '1 second'"""
        await connection.execute(age)
        request = 'UPDATE "TrainingJobs" SET "CancelRequestedAt" = now()'
        match ending:
            case "its worker is lost":
                await queue.rescue(connection)
            case "its worker is lost after a cancel":
                await connection.execute(request)
                await queue.rescue(connection)
            case "it is interrupted too often":
                await queue.release(connection, claim, max_interruptions=0)
            case _:
                await queue.retry(connection, claim, ErrorCode.CHILD_DIED, "Try again.", 3600)
                await connection.execute(request)
        assert await value(connection, "Status", job) == status
        started, ended = [await value(connection, name, job) for name in ("StartedAt", "CompletedAt")]
        seconds = await value(connection, "DurationSeconds", job)
        assert seconds == pytest.approx((ended - started).total_seconds())  # type: ignore[operator]
        assert 100 < seconds < 200  # type: ignore[operator]


async def test_a_job_that_never_started_ends_without_a_duration(database: str) -> None:
    async with connected(database) as connection:
        job = await insert(connection)
        await connection.execute('UPDATE "TrainingJobs" SET "CancelRequestedAt" = now()')
        assert await value(connection, "Status", job) == "Cancelled"
        assert await value(connection, "DurationSeconds", job) is None


async def test_an_insert_wakes_a_listener_also_after_its_connection_was_killed(database: str) -> None:
    wakeup = Wakeup(database)
    wake = wakeup.event
    listener = asyncio.create_task(wakeup.listen())
    async with connected(database) as connection:
        for killed in (False, True):
            # Set once when it listens, so that what was inserted before is looked for.
            await asyncio.wait_for(wake.wait(), DEADLINE)
            wake.clear()
            if killed:
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND query LIKE 'LISTEN%%'"
                )
                await asyncio.wait_for(wake.wait(), DEADLINE)
                wake.clear()
            await insert(connection)
            await asyncio.wait_for(wake.wait(), DEADLINE)
    listener.cancel()
