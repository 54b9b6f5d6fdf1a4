"""One row that goes wrong is that job's failure, or is passed over; the worker goes on with the others."""

import math
from pathlib import Path
from uuid import UUID

import pytest

from tests.support.in_process import daemon_of, publish_or_keep, work
from tests.support.shop import AS_WORKER, Shop
from worker.child.messages import Failed, Message
from worker.daemon.main_loop import Daemon
from worker.errors import ErrorCode
from worker.job.job import Job
from worker.job.progress import Advanced

REFUSING = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'The shop keeps % as it is.', NEW."Priority" USING ERRCODE = 'SHOP1'; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON "TrainingJobs" FOR EACH ROW WHEN ({}) EXECUTE FUNCTION refuse();
"""
LONG_INDEX = """
CREATE FUNCTION long(priority int, lease bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT string_agg(md5(n::text), '')
    FROM generate_series(1, CASE WHEN priority = 13 AND lease > 0 THEN 500 ELSE 1 END) AS n
$$;
CREATE INDEX long ON "TrainingJobs" (long("Priority", "LeaseVersion"));
"""
ODD = 'NEW."Priority" = 13'


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    """A shop without products: nothing is trained here."""
    return Shop(database, tmp_path / "storage", tmp_path / "models")


def insert(shop: Shop, options: str = '{"coalesce": false}', priority: int = 0) -> UUID:
    with shop.connect() as connection:
        row = connection.execute(
            'INSERT INTO "TrainingJobs" ("Options", "Priority") VALUES (%s, %s) RETURNING "Id"',
            (options, priority),
        ).fetchone()
    assert row
    return UUID(str(row["Id"]))


def execute(shop: Shop, *statements: str) -> None:
    with shop.connect() as connection:
        for statement in statements:
            connection.execute(statement.encode())


def ended(shop: Shop, job: UUID) -> tuple[str, str | None]:
    query = 'SELECT "Status", "ErrorCode" FROM "TrainingJobs" WHERE "Id" = %s'
    with shop.connect() as connection:
        row = connection.execute(query, (job,)).fetchone()
    assert row
    return row["Status"], row["ErrorCode"]


def message_of(shop: Shop, job: UUID) -> str:
    query = 'SELECT "ErrorMessage" FROM "TrainingJobs" WHERE "Id" = %s'
    with shop.connect() as connection:
        row = connection.execute(query, (job,)).fetchone()
    assert row
    return str(row["ErrorMessage"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ('{"seed": 1e5000}', "ValueError"),
        ('{"seed": ' + "[" * 2500 + "]" * 2500 + "}", "RecursionError"),
        ('{"time_budget_seconds": 1e400}', "time_budget_seconds"),
        ('"text"', "not str"),
        ("{" + ",".join(f'"{"k" * 9000}{number}": 1' for number in range(100)) + "}", "and 95 more"),
    ],
    ids=["a huge number", "deep", "an infinite number", "a text", "long keys"],
)
async def test_options_that_cannot_be_read_fail_their_job_and_no_other(
    shop: Shop, options: str, says: str
) -> None:
    odd, good = insert(shop, options), insert(shop)
    await work(shop)
    assert ended(shop, odd) == ("Failed", "invalid_options")
    message = message_of(shop, odd)
    assert says in message
    assert len(message) < 1000
    assert ended(shop, good) == ("Completed", None)


async def test_a_job_after_a_thousand_attempts_is_tried_once_more(shop: Shop) -> None:
    job = insert(shop)
    execute(shop, AS_WORKER, """UPDATE "TrainingJobs" SET "AttemptCount" = 1100, "MaxAttempts" = 5000""")
    await work(shop, lambda job: [Failed(ErrorCode.CHILD_DIED, "It may pass.")])
    assert ended(shop, job) == ("Pending", "child_died")
    with shop.connect() as connection:
        wait = """SELECT "RunAfter" - now() BETWEEN interval '1 minute' AND interval '10 minutes' AS fits
            FROM "TrainingJobs" WHERE "AttemptCount" = 1101"""
        assert connection.execute(wait).fetchall() == [{"fits": True}]


def passed_over(capsys: pytest.CaptureFixture[str]) -> int:
    return capsys.readouterr().out.count("job_passed_over")


@pytest.mark.parametrize(
    "refusal",
    [
        REFUSING.format(ODD),
        'ALTER TABLE "TrainingJobs" ADD CHECK ("Priority" <> 13 OR "AttemptCount" = 0)',
        LONG_INDEX,
    ],
    ids=["by a trigger", "by a check", "by an index"],
)
async def test_a_row_that_cannot_be_claimed_is_named_once_and_the_others_are_done(
    shop: Shop, refusal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(shop, refusal)
    jobs = [insert(shop), insert(shop, priority=13), insert(shop, priority=-1)]
    async with daemon_of(shop.database, shop.models.parent) as daemon:
        await daemon.work(until_idle=True)
        assert [ended(shop, job)[0] for job in jobs] == ["Completed", "Pending", "Completed"]
        assert list(daemon.queue.passed_over) == [jobs[1]]
        await daemon.work(until_idle=True)
        async with daemon.database.transaction() as connection:
            assert await daemon.queue.seconds_until_next(connection) is None
    assert passed_over(capsys) == 1


async def test_a_row_that_a_trigger_leaves_as_it_is_does_not_stop_the_others(shop: Shop) -> None:
    execute(
        shop,
        REFUSING.format('NEW."Priority" = 14'),
        REFUSING.format(ODD)
        .replace("refuse", "ignore")
        .replace("RAISE EXCEPTION", "RETURN NULL; RAISE NOTICE"),
    )
    jobs = [insert(shop, priority=14), insert(shop, priority=13), insert(shop)]
    daemon = await work(shop)
    assert [ended(shop, job)[0] for job in jobs] == ["Pending", "Pending", "Completed"]
    assert set(daemon.queue.passed_over) == set(jobs[:2])


async def test_a_row_that_cannot_be_rescued_does_not_stop_the_rescue_of_the_others(shop: Shop) -> None:
    jobs = [insert(shop, priority=13), insert(shop)]
    with shop.connect() as connection:
        connection.execute(AS_WORKER)
        connection.execute(
            """UPDATE "TrainingJobs" SET "Status" = 'Running', "WorkerId" = 'dead', "LeasedUntil" = '-infinity',
            "StartedAt" = '-infinity'"""
        )
    execute(shop, REFUSING.format(ODD))
    daemon = await work(shop)
    assert [ended(shop, job)[0] for job in jobs] == ["Running", "Completed"]
    assert list(daemon.queue.passed_over) == [jobs[0]]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ('ALTER TABLE "ModelMetadata" ADD "ShopId" int NOT NULL', "ShopId"),
        ('ALTER TABLE "ModelMetadata" ADD CONSTRAINT "CK_Big" CHECK ("TotalPhotosUsed" > 1000)', "CK_Big"),
    ],
    ids=["by a column", "by a check"],
)
async def test_a_models_row_that_is_refused_fails_its_job_until_it_is_tried_again(
    shop: Shop, change: str, names: str
) -> None:
    execute(shop, change)
    jobs = [insert(shop), insert(shop)]
    await work(shop)
    for job in jobs:
        assert ended(shop, job) == ("Failed", "model_row_refused")
        assert names in message_of(shop, job)
    assert list(shop.models.glob("v*")) == list(shop.models.glob(".staging/*")) == []
    execute(
        shop, 'ALTER TABLE "ModelMetadata" DROP COLUMN IF EXISTS "ShopId", DROP CONSTRAINT IF EXISTS "CK_Big"'
    )
    with shop.connect() as connection:
        connection.execute("SELECT retry_training_job(%s)", (jobs[0],))
    await work(shop)
    assert ended(shop, jobs[0]) == ("Completed", None)


async def test_a_job_whose_completion_is_refused_fails(shop: Shop) -> None:
    execute(shop, """ALTER TABLE "TrainingJobs" ADD CONSTRAINT "CK_No" CHECK ("Status" <> 'Completed')""")
    job = insert(shop)
    await work(shop)
    assert ended(shop, job) == ("Failed", "job_row_refused")
    assert "CK_No" in message_of(shop, job)


async def test_a_row_whose_failure_is_refused_is_passed_over(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(shop, REFUSING.format(f"""{ODD} AND NEW."Status" IN ('Completed', 'Failed')"""))
    odd, good = insert(shop, priority=13), insert(shop)
    daemon = await work(shop)
    assert (ended(shop, odd)[0], ended(shop, good)[0]) == ("Running", "Completed")
    assert "The shop keeps 13 as it is." in daemon.queue.passed_over[odd]
    assert passed_over(capsys) == 1


def odd_things(job: Job) -> list[Message | bytes]:
    """What no child should send: the job's message is written all the same."""
    trouble = "before\0after \ud800 " + "x" * 100_000
    return [Advanced(150, trouble, math.nan), Failed(ErrorCode.INSUFFICIENT_PHOTOS, trouble)]


async def test_what_a_child_says_is_cleaned_before_it_is_written(shop: Shop) -> None:
    job = insert(shop)
    await work(shop, odd_things)
    assert ended(shop, job) == ("Failed", "insufficient_photos")
    message = message_of(shop, job)
    assert message.startswith("before\ufffdafter \ufffd xx")
    assert len(message) == 4000


@pytest.mark.parametrize(
    "line",
    [b'["Advanced", {"percentage": NaN}]', b"[" * 100_000, b'["Finished", {}]', b"\xff\n", b"7"],
    ids=["NaN", "deep", "empty", "no text", "a number"],
)
async def test_a_line_of_the_child_that_is_no_message_fails_its_job_and_no_other(
    shop: Shop, line: bytes
) -> None:
    odd = insert(shop, '{"seed": 7}')
    good = insert(shop)
    await work(shop, lambda job: [line] if job.options.seed == 7 else publish_or_keep(job))
    assert ended(shop, odd) == ("Failed", "internal_error")
    assert ended(shop, good)[0] == "Completed"


async def test_an_error_that_nobody_expects_fails_its_job_and_no_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd, good = insert(shop), insert(shop)

    def fail_once(daemon: Daemon, version: str | None) -> None:
        monkeypatch.undo()
        raise ZeroDivisionError("never seen before")

    monkeypatch.setattr("worker.daemon.attempt.Attempt._active_model", fail_once)
    await work(shop)
    assert ended(shop, odd) == ("Failed", "internal_error")
    assert "ZeroDivisionError: never seen before" in message_of(shop, odd)
    assert ended(shop, good)[0] == "Completed"
