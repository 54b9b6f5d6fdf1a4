"""The active model changes while a job runs: the decision is made again."""

import os
import signal
from pathlib import Path

import pytest

from tests.faults.backend import (
    completed_at_once,
    expire_lease,
    files,
    insert_job,
    models_locked,
    staged,
    stands_still,
    status,
    wait_for_deploy,
)
from tests.faults.workers import Workers
from tests.support.registered import activate, active, assert_audit_holds, audit, changes, publish
from tests.support.shop import Shop
from tests.support.waiting import wait_until
from worker.events import Event
from worker.registry.verify import verify

FIRST, SECOND, THIRD = VERSIONS = ("v1_20260101", "v2_20260101", "v3_20260101")
# Suspends the first child in its last stage, until the test continues it.
HELD = "deploy:child:SIGSTOP"


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    """A shop without products, with three complete models; the first is active."""
    shop = Shop(database, tmp_path / "storage", tmp_path / "models")
    publish(shop, *VERSIONS)
    activate(shop, FIRST)
    return shop


def test_a_job_whose_decision_holds_is_activated_in_the_workers_name(shop: Shop, workers: Workers) -> None:
    worker = workers.start()
    job = completed_at_once(shop, insert_job(shop), worker)
    assert job["Result"] == {
        "version": job["ResultModelVersion"],
        "activated": True,
        "reason": f"The stub is better than {FIRST}.",
        "accuracy": {"top1": 1.0, "top3": 1.0, "photos": 10, "products": 2},
        "advice": [],
    }
    assert active(shop) == job["ResultModelVersion"]
    row = audit(shop)[-1]
    assert (row["ActivatedBy"], row["Reason"]) == (worker.events()[0]["worker"], job["Result"]["reason"])
    said = worker.saw(Event.MODEL_ACTIVATED)
    assert (said["version"], said["active"]) == (active(shop), FIRST)
    assert Event.ACTIVE_MODEL_CHANGED not in worker.names()


def test_a_model_that_was_decided_against_is_published_and_not_activated(
    shop: Shop, workers: Workers
) -> None:
    worker = workers.start(STUB_PROMOTE="0")
    job = completed_at_once(shop, insert_job(shop), worker)
    reason = f"The stub is worse than {FIRST}."
    assert (job["Result"]["activated"], job["Result"]["reason"]) == (False, reason)
    assert changes(shop) == [(None, FIRST)]
    said = worker.saw(Event.MODEL_NOT_ACTIVATED)
    assert (said["level"], said["version"], said["reason"]) == ("warning", job["ResultModelVersion"], reason)
    [row] = [row for row in shop.models_in_database() if row["Version"] == job["ResultModelVersion"]]
    assert (row["IsActive"], row["Notes"]) == (False, f"Not activated: {reason}")
    verify(shop.models / row["Version"])


@pytest.mark.parametrize("promote", ["0", "1"])
def test_a_child_is_asked_again_when_another_model_was_activated_meanwhile(
    shop: Shop, workers: Workers, promote: str
) -> None:
    job_id = insert_job(shop)
    worker = workers.start(FAULT=HELD, STUB_PROMOTE=promote)
    child = stands_still(worker)
    activate(shop, SECOND)
    os.killpg(child, signal.SIGCONT)
    job = completed_at_once(shop, job_id, worker)
    assert worker.saw(Event.ACTIVE_MODEL_CHANGED)["active"] == SECOND
    assert worker.names().count(Event.CHILD_STARTED) == 1, "its work was still in memory"
    assert job["Result"]["reason"] == f"The stub is {'better' if promote == '1' else 'worse'} than {SECOND}."
    made = [(SECOND, job["ResultModelVersion"])] if promote == "1" else []
    assert changes(shop) == [(None, FIRST), (FIRST, SECOND), *made]


def test_a_child_is_asked_again_when_no_model_is_active_any_more(shop: Shop, workers: Workers) -> None:
    job_id = insert_job(shop)
    worker = workers.start(FAULT=HELD)
    child = stands_still(worker)
    with shop.connect() as connection:
        connection.execute('UPDATE "ModelMetadata" SET "IsActive" = false')
    os.killpg(child, signal.SIGCONT)
    job = completed_at_once(shop, job_id, worker)
    assert worker.saw(Event.ACTIVE_MODEL_CHANGED)["active"] is None
    assert changes(shop) == [(None, FIRST), (FIRST, None), (None, job["ResultModelVersion"])]


def always_another(shop: Shop) -> None:
    """Change the active model in each of a worker's last transactions, so that no decision holds."""
    with shop.connect() as connection:
        connection.execute("""
            CREATE FUNCTION another() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF NEW."Status" = 'Completed' AND OLD."Status" = 'Running' THEN
                    UPDATE "ModelMetadata" SET "Version" = left("Version", 11) || '_' || clock_timestamp()
                    WHERE "IsActive";
                END IF;
                RETURN NEW;
            END
            $$;
            CREATE TRIGGER another BEFORE UPDATE ON "TrainingJobs" FOR EACH ROW EXECUTE FUNCTION another();
        """)


def test_a_decision_that_never_holds_is_left_to_people(shop: Shop, workers: Workers) -> None:
    always_another(shop)
    worker = workers.start()
    job = completed_at_once(shop, insert_job(shop), worker)
    assert worker.names().count(Event.ACTIVE_MODEL_CHANGED) == 5
    assert job["Result"]["activated"] is False
    assert "5 times" in job["Result"]["reason"]
    assert worker.saw(Event.MODEL_NOT_ACTIVATED)["reason"] == job["Result"]["reason"]
    assert active(shop) != job["ResultModelVersion"]
    verify(shop.models / job["ResultModelVersion"])


@pytest.mark.parametrize("ending", ["cancel", "the child dies", "a stop", "the deadline"])
def test_what_ends_a_job_ends_one_that_is_being_decided_again(
    shop: Shop, workers: Workers, ending: str
) -> None:
    before = files(shop), shop.models_in_database()
    always_another(shop)
    job_id = insert_job(shop, max_attempts=1)
    timeout = "12" if ending == "the deadline" else "600"
    settings = {"SHUTDOWN_GRACE": "0", "JOB_TIMEOUT": timeout}
    worker = workers.start(FAULT="reconsider:child:SIGSTOP", **settings)
    worker.saw(Event.ACTIVE_MODEL_CHANGED)
    child = stands_still(worker)
    if ending == "cancel":
        with shop.connect() as connection:
            connection.execute("SELECT cancel_training_job(%s)", (job_id,))
    elif ending == "the child dies":
        os.killpg(child, signal.SIGKILL)
    elif ending == "a stop":
        worker.signal(signal.SIGTERM)
    expected = {
        "cancel": ("Cancelled", None),
        "the child dies": ("Failed", "child_died"),
        "a stop": ("Pending", None),
        "the deadline": ("Failed", "timed_out"),
    }[ending]
    job = status(shop, job_id, expected[0])
    assert job["ErrorCode"] == expected[1]
    assert (job["Result"], job["ResultModelVersion"]) == (None, None)
    worker.childless()
    wait_until(lambda: not staged(shop), "the removal of what was staged")
    assert (files(shop), shop.models_in_database()) == before


def test_a_worker_that_is_killed_while_its_child_decides_again_is_found_out(
    shop: Shop, workers: Workers
) -> None:
    always_another(shop)
    job_id = insert_job(shop)
    first = workers.start(FAULT="reconsider:child:SIGSTOP")
    first.saw(Event.ACTIVE_MODEL_CHANGED)
    stands_still(first)
    first.process.kill()
    first.childless()
    expire_lease(shop, job_id)
    second = workers.start()
    job = status(shop, job_id, "Completed", "Failed")
    assert (job["Status"], job["AttemptCount"]) == ("Completed", 2)
    second.saw(Event.JOB_COMPLETED)
    assert staged(shop) == []
    assert_audit_holds(shop)


def test_a_worker_that_is_killed_while_its_child_waits_leaves_no_child(shop: Shop, workers: Workers) -> None:
    job_id = insert_job(shop)
    with models_locked(shop):
        first = workers.start()
        wait_for_deploy(shop)
        first.process.kill()
        first.childless()
    expire_lease(shop, job_id)
    workers.run_until_idle()
    assert shop.job(job_id)["AttemptCount"] == 2
    assert active(shop) == shop.job(job_id)["ResultModelVersion"]
    assert_audit_holds(shop)


def test_many_workers_and_a_backend_that_activate_at_once_leave_a_chain(shop: Shop, workers: Workers) -> None:
    crew = [workers.start(STUB_SECONDS="0.05") for _ in range(3)]
    for worker in crew:
        worker.saw(Event.LISTENING)
    jobs = [shop.insert_job({"seed": number}) for number in range(12)]
    for number in range(12):
        activate(shop, VERSIONS[number % 3])
    results = [status(shop, job_id, "Completed", "Failed")["Result"] for job_id in jobs]
    assert_audit_holds(shop)
    activated = {result["version"] for result in results if result["activated"]}
    names = {worker.events()[0]["worker"] for worker in crew}
    assert {row["Version"] for row in audit(shop) if row["ActivatedBy"] in names} == activated
    for result in results:
        verify(shop.models / result["version"])
