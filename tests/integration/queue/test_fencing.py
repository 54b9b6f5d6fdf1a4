"""Only the worker that has the job writes the worker's columns: not a backend, nor a worker from before a fail-over."""

from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from tests.support.shop import AS_WORKER
from worker.daemon.completion import keep_active
from worker.database.connection import Database
from worker.errors import ErrorCode
from worker.queue.claim import Claim, LeaseLost, Progress
from worker.queue.jobs import Connection, JobQueue

Backend = psycopg.Connection[dict[str, Any]]

FIRST, SECOND = JobQueue("first", 60), JobQueue("second", 60)
# A value of its own for every column that only the worker writes.
WORKERS = {
    "Status": "Failed",
    "ProgressPercentage": 77,
    "CurrentStage": "stale",
    "EstimatedCompletionAt": "2001-01-01",
    "AttemptCount": 7,
    "LeaseVersion": 7,
    "LeasedUntil": "2001-01-01",
    "WorkerId": "nobody",
    "StartedAt": "2001-01-01",
    "CompletedAt": "2001-01-01",
    "DurationSeconds": 7.0,
    "ErrorCode": "stale",
    "ErrorMessage": "stale",
    "ResultModelVersion": "v1",
    "Result": "{}",
    "InterruptionCount": 7,
    "UpdatedAt": "2001-01-01",
}

Write = Callable[[Connection, Claim], Coroutine[Any, Any, object]]
WRITES: list[Write] = [
    lambda connection, claim: FIRST.check(connection, claim),
    lambda connection, claim: FIRST.renew(connection, claim, Progress(50, "stale")),
    lambda connection, claim: FIRST.complete(connection, claim, "v1"),
    lambda connection, claim: FIRST.fail(connection, claim, ErrorCode.CHILD_DIED, "stale"),
    lambda connection, claim: FIRST.retry(connection, claim, ErrorCode.CHILD_DIED, "stale", 0),
    lambda connection, claim: FIRST.cancel(connection, claim),
    lambda connection, claim: FIRST.release(connection, claim, 20),
]


@pytest.fixture
def backend(database: str) -> Iterator[Backend]:
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as connection:
        yield connection


def insert(backend: Backend, status: str = "Pending") -> UUID:
    row = backend.execute(
        """INSERT INTO "TrainingJobs" ("Status", "WorkerId", "LeasedUntil", "LeaseVersion", "AttemptCount")
        VALUES (%s, 'first', now() + interval '1 hour', 1, 1) RETURNING "Id" """,
        (status,),
    ).fetchone()
    assert row
    return UUID(str(row["Id"]))


def read(backend: Backend, job: UUID) -> dict[str, Any]:
    row = backend.execute('SELECT * FROM "TrainingJobs" WHERE "Id" = %s', (job,)).fetchone()
    assert row
    return row


def update(backend: Backend, job: UUID, values: dict[str, Any]) -> str:
    """Update these columns of a job, and return the warning about it."""
    said: list[str] = []
    backend.add_notice_handler(lambda notice: said.append(f"{notice.severity}: {notice.message_primary}"))
    columns = [sql.SQL("{} = %s").format(sql.Identifier(name)) for name in values]
    query = sql.SQL('UPDATE "TrainingJobs" SET {} WHERE "Id" = %s').format(sql.SQL(", ").join(columns))
    backend.execute(query, [*values.values(), job])
    return "\n".join(said)


@pytest.mark.parametrize("status", ["Pending", "Running", "Completed", "Cancelled"])
def test_a_backend_changes_none_of_the_workers_columns_and_is_warned(backend: Backend, status: str) -> None:
    job = insert(backend, status)
    before = read(backend, job)
    warning = update(backend, job, WORKERS)
    assert read(backend, job) == before
    assert warning.startswith(f"WARNING: Job {job} is {status}")
    for name in WORKERS.keys() - {"UpdatedAt"}:
        assert (f'"{name}"' in warning) is (str(before[name]) != str(WORKERS[name]))


def test_a_stale_row_that_is_written_back_whole_changes_nothing_but_what_the_backend_meant(
    database: str, backend: Backend
) -> None:
    """As EF Core's `Update(entity)` does."""
    job = insert(backend)
    stale = read(backend, job)
    backend.execute(AS_WORKER)
    update(backend, job, {"Status": "Running", "ProgressPercentage": 40, "CurrentStage": "Training"})
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as other:
        running = read(other, job)
        whole = stale | {"Priority": 5, "Options": "{}", "Result": None}
        del whole["Id"]
        assert update(other, job, whole)
        assert read(other, job) == running | {"Priority": 5}
        requested = read(other, job)["CreatedAt"]
        assert update(other, job, whole | {"CancelRequestedAt": requested})
        assert read(other, job) == running | {"Priority": 5, "CancelRequestedAt": requested}
        assert "CancelRequestedAt" in update(other, job, whole), "a request is not taken back"
        assert read(other, job)["CancelRequestedAt"] == requested


async def test_who_has_the_workers_connection_after_it_is_no_worker(database: str) -> None:
    """As behind a pooler in transaction mode."""
    async with await psycopg.AsyncConnection.connect(database) as connection:
        await connection.execute('INSERT INTO "TrainingJobs" DEFAULT VALUES')
        claim = await FIRST.claim(connection)
        assert claim
        await connection.commit()
        await connection.execute("""UPDATE "TrainingJobs" SET "Status" = 'Completed'""")
        await FIRST.check(connection, claim)


@pytest.mark.parametrize(
    ("status", "heard"),
    [
        ("Pending", {"Priority", "RunAfter", "Options", "MaxAttempts", "InitiatedBy", "CreatedAt"}),
        ("Running", {"Priority", "MaxAttempts", "InitiatedBy", "CreatedAt"}),
        ("Failed", {"Priority", "MaxAttempts", "InitiatedBy", "CreatedAt"}),
    ],
)
def test_a_backend_is_heard_in_its_own_columns(backend: Backend, status: str, heard: set[str]) -> None:
    job = insert(backend, status)
    before = read(backend, job)
    values = {"Priority": 9, "MaxAttempts": 9, "InitiatedBy": uuid4(), "Options": '{"seed": 9}'}
    warning = update(backend, job, values | {"RunAfter": "2001-01-01", "CreatedAt": "2001-01-01"})
    after = read(backend, job)
    assert {name for name in after if after[name] != before[name]} == heard
    assert bool(warning) is (status != "Pending")


def test_a_waiting_job_is_cancelled_by_a_whole_row_as_by_the_statement(backend: Backend) -> None:
    job = insert(backend)
    whole = read(backend, job) | {"CancelRequestedAt": "now", "Options": "{}", "Result": None}
    assert not update(backend, job, whole)
    assert read(backend, job)["Status"] == "Cancelled"


@pytest.mark.parametrize("old", ["Completed", "Failed", "Cancelled"])
@pytest.mark.parametrize("new", ["Pending", "Running", "Completed", "Failed", "Cancelled"])
def test_not_even_a_worker_moves_a_job_that_has_ended(backend: Backend, old: str, new: str) -> None:
    job = insert(backend, old)
    backend.execute(AS_WORKER)
    if old == new:
        update(backend, job, {"Status": new})
        return
    with pytest.raises(psycopg.errors.CheckViolation, match=f"is {old} and cannot become {new}"):
        update(backend, job, {"Status": new})


@pytest.mark.parametrize("status", ["Failed", "Cancelled"])
def test_a_job_that_is_tried_again_is_as_new(database: str, backend: Backend, status: str) -> None:
    job = insert(backend, status)
    with psycopg.connect(database, autocommit=True) as worker:
        worker.execute(AS_WORKER)
        values = {name: value for name, value in WORKERS.items() if name != "Status"}
        update(worker, job, values | {"CancelRequestedAt": "2001-01-01"})  # type: ignore[arg-type]
    new = read(backend, insert(backend))
    with backend.transaction():
        backend.execute("SELECT retry_training_job(%s)", (job,))
        assert update(backend, job, {"LeaseVersion": 99}), "it is no worker after that"
    again = read(backend, job)
    own = {
        "Id",
        "CreatedAt",
        "UpdatedAt",
        "RunAfter",
        "LeaseVersion",
        "LeasedUntil",
        "WorkerId",
        "AttemptCount",
    }
    assert {name for name in again if again[name] != new[name]} <= own
    assert (again["LeaseVersion"], again["AttemptCount"], again["WorkerId"]) == (7, 0, None)
    assert again["RunAfter"] > again["CreatedAt"]


@pytest.mark.parametrize("status", ["Pending", "Running", "Completed"])
def test_any_other_job_is_not_tried_again(backend: Backend, status: str) -> None:
    job = insert(backend, status)
    with pytest.raises(psycopg.errors.CheckViolation, match=f"is {status}; only a Failed or Cancelled"):
        backend.execute("SELECT retry_training_job(%s)", (job,))
    for unknown in (uuid4(), None):
        with pytest.raises(psycopg.errors.NoDataFound, match="There is no job"):
            backend.execute("SELECT retry_training_job(%s)", (unknown,))


async def test_a_claim_that_a_fail_over_lost_writes_nothing_beside_the_one_after_it(
    database: str, backend: Backend, tmp_path: Path
) -> None:
    row = backend.execute('INSERT INTO "TrainingJobs" DEFAULT VALUES RETURNING *').fetchone()
    assert row
    async with Database(database) as pool:
        async with pool.transaction() as connection:
            old = await FIRST.claim(connection)
        # The replica that is promoted has not heard of the claim.
        backend.execute("SET session_replication_role = replica")
        update(
            backend, row["Id"], {name: value for name, value in row.items() if name not in ("Id", "Options")}
        )
        assert read(backend, row["Id"]) == row
        async with pool.transaction() as connection:
            new = await SECOND.claim(connection)
        assert old
        assert new
        assert (old.name, old.worker_id, new.worker_id) == (new.name, "first", "second")
        before = read(backend, row["Id"])
        for write in WRITES:
            with pytest.raises(LeaseLost):
                async with pool.transaction() as connection:
                    await write(connection, old)
        assert read(backend, row["Id"]) == before
        async with pool.transaction() as connection:
            await SECOND.complete(connection, new, "v1")
        with pytest.raises(LeaseLost):
            await keep_active(pool, FIRST, old, tmp_path, "v1")
    assert read(backend, row["Id"])["Status"] == "Completed"
