"""A backend's side of the fault tests: changes the shop's tables, and checks them and the files."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.faults.workers import Worker
from tests.support.registered import assert_audit_holds
from tests.support.shop import AS_WORKER, Shop
from tests.support.waiting import DEADLINE, wait_until
from worker.events import Event


def status(shop: Shop, job_id: UUID, *wanted: str, seconds: float = DEADLINE) -> dict[str, Any]:
    """Wait until the job has one of these statuses, and return its row."""

    def look() -> dict[str, Any] | None:
        job = shop.job(job_id)
        return job if job["Status"] in wanted else None

    return wait_until(look, f"job {job_id} to be {' or '.join(wanted)}", seconds)


def insert_job(shop: Shop, max_attempts: int = 3) -> UUID:
    job_id = shop.insert_job()
    if max_attempts != 3:
        with shop.connect() as connection:
            connection.execute(
                'UPDATE "TrainingJobs" SET "MaxAttempts" = %s WHERE "Id" = %s', (max_attempts, job_id)
            )
    return job_id


def expire_lease(shop: Shop, job_id: UUID) -> None:
    """End the lease of a dead worker at once, so that a test need not wait for it."""
    with shop.connect() as connection:
        connection.execute(AS_WORKER)
        connection.execute(
            """UPDATE "TrainingJobs" SET "LeasedUntil" = now() - interval '1 second'
            WHERE "Id" = %s AND "Status" = 'Running'""",
            (job_id,),
        )


def insert_active_model(shop: Shop, version: str = "v1700000000_20231114") -> None:
    """Insert a published and active model, row and folder."""
    folder = shop.models / version
    folder.mkdir(parents=True)
    (folder / "model.json").write_text("{}")
    with shop.connect() as connection:
        connection.execute(
            """INSERT INTO "ModelMetadata" ("Id", "Version", "TrainedAt", "ModelPath", "TotalPhotosUsed",
            "TotalProductsUsed", "IsActive", "CreatedAt", "UpdatedAt")
            VALUES (gen_random_uuid(), %s, now(), %s, 10, 2, true, now(), now())""",
            (version, f"models/{version}"),
        )


def files(shop: Shop) -> dict[str, int]:
    """Modification time in ns of every file and folder below `models/` that clients see, by path."""
    paths = [path for path in shop.models.rglob("*") if ".staging" not in path.parts]
    return {str(path.relative_to(shop.models)): path.stat().st_mtime_ns for path in sorted(paths)}


def staged(shop: Shop) -> list[str]:
    names: list[str] = []
    for reserved in shop.models.glob(".staging/*"):
        # The worker removes it at any moment.
        with suppress(FileNotFoundError):
            names += [path.name for path in reserved.iterdir()]
    return names


def assert_clean(shop: Shop) -> None:
    """Assert that nothing staged is left, not even a reservation."""
    assert list(shop.models.glob(".staging/*")) == []


def assert_published_once(shop: Shop, job: dict[str, Any]) -> None:
    """Assert that there is one model and one folder, both of this job, and that the folder is complete."""
    [model] = shop.models_in_database()
    assert (model["Version"], model["IsActive"]) == (job["ResultModelVersion"], True)
    [folder] = shop.models.glob("v*")
    assert folder.name == model["Version"]
    assert {"model.json", "product_mapping.json", "metadata.json"} <= {path.name for path in folder.iterdir()}
    assert str(job["Id"]) in (folder / "metadata.json").read_text()


def assert_nothing_published(shop: Shop) -> None:
    assert shop.models_in_database() == []
    assert list(shop.models.glob("v*")) == []


@contextmanager
def models_locked(shop: Shop) -> Iterator[None]:
    """Lock "ModelMetadata" against other writers, so that a worker waits in its last transaction."""
    with shop.connect() as connection, connection.transaction():
        connection.execute('LOCK TABLE "ModelMetadata" IN EXCLUSIVE MODE')
        yield


def wait_for_deploy(shop: Shop) -> None:
    """Wait until a worker waits for "ModelMetadata" in its last transaction."""

    def look() -> bool:
        with shop.connect() as connection:
            cursor = connection.execute("""SELECT FROM pg_locks WHERE NOT granted
                AND relation = '"ModelMetadata"'::regclass
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())""")
            return cursor.fetchone() is not None

    wait_until(look, 'a worker that waits for "ModelMetadata"')


@contextmanager
def commits_held(shop: Shop) -> Iterator[None]:
    """Block the COMMIT of every transaction that inserts into "ModelMetadata"."""
    with shop.connect() as connection:
        connection.execute("""
            CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END';
            CREATE CONSTRAINT TRIGGER wait_at_commit AFTER INSERT ON "ModelMetadata"
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait_at_commit();
            SELECT pg_advisory_lock(1);
        """)
        yield


def wait_for_commit(shop: Shop) -> int:
    """Wait until a worker waits in its COMMIT, and return the process id of its Postgres backend."""

    def look() -> int | None:
        with shop.connect() as connection:
            row = connection.execute("""SELECT pid FROM pg_locks WHERE NOT granted AND locktype = 'advisory'
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())""").fetchone()
            return row["pid"] if row else None

    return wait_until(look, "a worker in its COMMIT")


def stands_still(worker: Worker) -> int:
    """Wait until the child is suspended, and return its process id."""
    child = worker.child()

    def look() -> bool:
        return Path(f"/proc/{child}/stat").read_text().split()[2] == "T"

    wait_until(look, "the child to stand still")
    return child


def completed_at_once(shop: Shop, job_id: UUID, worker: Worker) -> dict[str, Any]:
    """Wait for the job, assert that it completed in one attempt and left nothing behind, and return its row."""
    job = status(shop, job_id, "Completed", "Failed")
    assert (job["Status"], job["AttemptCount"], job["LeaseVersion"]) == ("Completed", 1, 1), job
    worker.saw(Event.JOB_COMPLETED)
    worker.childless()
    wait_until(lambda: not staged(shop), "the staged folder to be gone")
    assert_audit_holds(shop)
    return job
