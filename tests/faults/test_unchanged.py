"""A job without anything to train: it completes with the active model, or trains after all."""

import os
import signal
from pathlib import Path

import pytest

from tests.faults.backend import completed_at_once, files, insert_job, stands_still
from tests.faults.workers import Workers
from tests.support.registered import activate, active, changes, publish
from tests.support.shop import Shop
from worker.events import Event
from worker.registry.verify import verify

FIRST, SECOND = VERSIONS = ("v1_20260101", "v2_20260101")


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    """A shop without products, with two complete models; the first is active."""
    shop = Shop(database, tmp_path / "storage", tmp_path / "models")
    publish(shop, *VERSIONS)
    activate(shop, FIRST)
    return shop


def test_a_job_with_nothing_to_train_completes_with_the_active_model(shop: Shop, workers: Workers) -> None:
    before = files(shop), shop.models_in_database(), changes(shop)
    worker = workers.start(STUB_UNCHANGED="1")
    job = completed_at_once(shop, insert_job(shop), worker)
    assert job["Result"] == {
        "version": FIRST,
        "activated": True,
        "reason": "Nothing has changed since the active model was trained.",
        "accuracy": {"top1": 0.9375},
        "advice": [],
    }
    assert job["ResultModelVersion"] == FIRST
    assert (files(shop), shop.models_in_database(), changes(shop)) == before
    assert worker.saw(Event.JOB_COMPLETED)["unchanged"] is True
    assert Event.MODEL_PUBLISHED not in worker.names()


@pytest.mark.parametrize("meanwhile", ["another is active", "none is active", "it is removed"])
def test_a_job_with_nothing_to_train_is_trained_after_all_when_the_active_model_changed(
    shop: Shop, workers: Workers, meanwhile: str, tmp_path: Path
) -> None:
    job_id = insert_job(shop)
    once = str(tmp_path / "struck")
    worker = workers.start(STUB_UNCHANGED="1", FAULT="fetch_photos:child:SIGSTOP", FAULT_ONCE=once)
    child = stands_still(worker)
    if meanwhile == "another is active":
        activate(shop, SECOND)
    else:
        with shop.connect() as connection:
            connection.execute('UPDATE "ModelMetadata" SET "IsActive" = false')
            if meanwhile == "it is removed":
                connection.execute('DELETE FROM "ModelMetadata" WHERE "Version" = %s', (FIRST,))
    now = active(shop)
    os.killpg(child, signal.SIGCONT)
    job = completed_at_once(shop, job_id, worker)
    assert worker.saw(Event.ACTIVE_MODEL_CHANGED)["active"] == now
    assert worker.names().count(Event.CHILD_STARTED) == 2
    assert job["Result"]["reason"] == f"The stub is better than {now}."
    assert active(shop) == job["ResultModelVersion"] not in VERSIONS
    verify(shop.models / job["ResultModelVersion"])
