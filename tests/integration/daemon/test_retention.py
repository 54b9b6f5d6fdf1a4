"""Workers without a job remove old jobs and models, where they are told to, in small steps."""

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog

from tests.support.in_process import work
from tests.support.registered import activate, publish
from tests.support.shop import Shop
from worker.child.messages import Failed, Message
from worker.daemon.known_versions import known_versions
from worker.errors import ErrorCode
from worker.events import Event
from worker.job.job import Job
from worker.queue import prune as pruning

VERSIONS = tuple(f"v{1_000_000_000 + number}_20010909" for number in range(6))
ENDED = """INSERT INTO "TrainingJobs" ("Status", "CompletedAt")
    SELECT %s, now() - %s * interval '1 day' FROM generate_series(1, %s)"""
BUSY = """INSERT INTO "TrainingJobs" ("Status", "RunAfter", "CompletedAt", "WorkerId", "LeasedUntil")
    VALUES (%s, 'infinity', '2001-01-01', 'another', 'infinity')"""


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    """A shop without products: nothing is trained here."""
    shop = Shop(database, tmp_path / "storage", tmp_path / "models")
    shop.models.mkdir()
    return shop


def insert(shop: Shop, statement: str, *values: object) -> None:
    with shop.connect() as connection:
        connection.execute(statement.encode(), values)


def left(shop: Shop) -> list[str]:
    with shop.connect() as connection:
        rows = connection.execute('SELECT "Status" FROM "TrainingJobs" ORDER BY 1').fetchall()
    return [row["Status"] for row in rows]


async def logged(shop: Shop, *events: Event) -> list[dict[str, Any]]:
    """Have a worker work until it is idle, and give its events of these kinds."""
    with structlog.testing.capture_logs() as log:
        await work(shop)
    return [dict(event) for event in log if event["event"] in events]


async def test_jobs_that_ended_long_ago_go_in_small_steps(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "STEP", 4)
    monkeypatch.setenv("JOB_RETENTION_DAYS", "30")
    for status, days, many in (("Completed", 31, 5), ("Failed", 31, 2), ("Cancelled", 31, 2)):
        insert(shop, ENDED, status, days, many)
    insert(shop, ENDED, "Completed", 29, 2)
    for status in ("Pending", "Running"):
        insert(shop, BUSY, status)
    steps = await logged(shop, Event.JOBS_PRUNED)
    assert [step["count"] for step in steps] == [4, 4, 1]
    assert len({job for step in steps for job in step["job_ids"]}) == 9
    assert left(shop) == ["Completed", "Completed", "Pending", "Running"]


async def test_nothing_goes_unless_it_is_asked_for(shop: Shop) -> None:
    publish(shop, *VERSIONS)
    insert(shop, ENDED, "Completed", 9999, 1)
    assert await logged(shop, Event.JOBS_PRUNED, Event.MODEL_PRUNED) == []
    assert left(shop) == ["Completed"]
    assert len(shop.models_in_database()) == len(VERSIONS)


async def test_a_job_never_waits_for_more_than_one_step(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "STEP", 1)
    monkeypatch.setenv("JOB_RETENTION_DAYS", "1")
    insert(shop, ENDED, "Completed", 2, 3)
    # The backend inserts a job as the first row goes.
    with shop.connect() as connection:
        connection.execute("""
            CREATE FUNCTION insert_one() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO "TrainingJobs" ("Priority")
                SELECT 5 WHERE NOT EXISTS (SELECT FROM "TrainingJobs" WHERE "Priority" = 5);
                RETURN NULL;
            END $$;
            CREATE TRIGGER insert_one AFTER DELETE ON "TrainingJobs"
                FOR EACH ROW EXECUTE FUNCTION insert_one();
        """)
    events = await logged(shop, Event.JOBS_PRUNED, Event.JOB_COMPLETED)
    assert [event["event"] for event in events] == [
        Event.JOBS_PRUNED,
        Event.JOB_COMPLETED,
        Event.JOBS_PRUNED,
        Event.JOBS_PRUNED,
    ]


async def test_several_workers_at_once_do_no_harm(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "STEP", 5)
    monkeypatch.setenv("JOB_RETENTION_DAYS", "1")
    monkeypatch.setenv("KEEP_MODELS", "1")
    insert(shop, ENDED, "Completed", 2, 60)
    publish(shop, *VERSIONS)
    with structlog.testing.capture_logs() as log:
        await asyncio.gather(*(work(shop) for _ in range(3)))
    assert sum(event["count"] for event in log if event["event"] == Event.JOBS_PRUNED) == 60
    pruned = [event["version"] for event in log if event["event"] == Event.MODEL_PRUNED]
    assert sorted(pruned) == list(VERSIONS[:-1])
    assert left(shop) == []
    assert Event.RETENTION_FAILED not in {event["event"] for event in log}


async def test_old_models_go_but_never_the_active_one_nor_the_one_before_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEEP_MODELS", "2")
    publish(shop, *VERSIONS)
    activate(shop, VERSIONS[0], VERSIONS[1])
    removed = await logged(shop, Event.MODEL_PRUNED)
    assert sorted(event["version"] for event in removed) == list(VERSIONS[2:4])
    kept = [VERSIONS[0], VERSIONS[1], *VERSIONS[4:]]
    assert [model["Version"] for model in shop.models_in_database()] == kept
    assert sorted(path.name for path in shop.models.glob("v*")) == kept


async def test_a_row_that_the_backend_keeps_is_named_once_and_the_others_go(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_RETENTION_DAYS", "1")
    insert(shop, ENDED, "Completed", 2, 2)
    with shop.connect() as connection:
        connection.execute('CREATE TABLE notes (job uuid REFERENCES "TrainingJobs")')
        connection.execute('INSERT INTO notes SELECT "Id" FROM "TrainingJobs"')
    insert(shop, ENDED, "Failed", 3, 3)
    events = await logged(shop, Event.JOBS_PRUNED, Event.RETENTION_FAILED)
    assert [event["event"] for event in events] == [Event.JOBS_PRUNED, Event.RETENTION_FAILED]
    assert "2 jobs stay" in events[1]["reason"]
    assert "violates foreign key constraint" in events[1]["reason"]
    assert left(shop) == ["Completed", "Completed"]


async def test_a_model_that_cannot_be_removed_does_not_end_the_worker(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEEP_MODELS", "1")
    publish(shop, *VERSIONS[:1])
    insert(shop, """UPDATE "ModelMetadata" SET "Version" = '../storage'""")
    publish(shop, VERSIONS[1])
    job_id = shop.insert_job()
    [said] = await logged(shop, Event.RETENTION_FAILED)
    assert "“../storage” in" in said["reason"]
    assert shop.job(job_id)["Status"] == "Completed"


async def test_a_version_follows_the_newest_that_is_known_also_when_the_clock_was_set_back(
    shop: Shop,
) -> None:
    knows: list[str | None] = [
        """INSERT INTO "ModelMetadata"
        VALUES (gen_random_uuid(), %s, now(), '', NULL, 1, 1, false, NULL, now(), now())""",
        """INSERT INTO "ModelActivations" ("Version", "ActivatedBy", "Reason") VALUES (%s, '', '')""",
        """INSERT INTO "ModelActivations" ("PreviousVersion", "ActivatedBy", "Reason") VALUES (%s, '', '')""",
        """INSERT INTO "TrainingJobs" ("Status", "ResultModelVersion") VALUES ('Completed', %s)""",
        None,
    ]
    reserved: list[str] = []

    def train(job: Job) -> list[Message | bytes]:
        reserved.append(job.version)
        return [Failed(ErrorCode.INSUFFICIENT_PHOTOS, "There are too few.")]

    for number, statement in enumerate(knows):
        newest = f"v{4_000_000_000 + 10 * number}_20961002"
        if statement:
            insert(shop, statement, newest)
        else:
            (shop.models / newest).mkdir()
        shop.insert_job()
        await work(shop, train)
    assert reserved == [f"v{4_000_000_001 + 10 * number}_20961002" for number in range(5)]


async def test_a_role_that_may_not_read_the_audit_names_versions_all_the_same(shop: Shop) -> None:
    """Workers 0.1 did not need that right."""
    publish(shop, VERSIONS[0])
    async with await psycopg.AsyncConnection.connect(shop.database) as connection:
        await connection.execute("CREATE ROLE clerk")
        await connection.execute('GRANT SELECT ON "ModelMetadata", "TrainingJobs" TO clerk')
        await connection.execute("SET ROLE clerk")
        assert await known_versions(connection) == [VERSIONS[0], None]
        # The role is gone with it.
        await connection.rollback()
