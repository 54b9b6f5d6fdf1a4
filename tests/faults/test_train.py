"""How `worker train` ends: its exit status, and one sentence on standard error, for the backend that started it."""

import signal
import subprocess
from uuid import UUID

import pytest

from tests.faults.backend import status
from tests.support.shop import Shop
from tests.support.waiting import DEADLINE


def train(shop: Shop, job_id: UUID, **settings: str) -> "subprocess.Popen[str]":
    arguments = ("train", "--job-id", str(job_id))
    return shop.with_errors.worker(*arguments, module="tests.faults.worker", **settings)


def assert_ended(process: "subprocess.Popen[str]", status: int, *says: str) -> None:
    """Its last words are one sentence with these words, on standard error alone."""
    log, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == status, log + errors
    assert errors.startswith("worker: ") == bool(says)
    assert errors.count("\n") == bool(says)
    for words in says:
        assert words in errors
    assert "worker: " not in log


@pytest.mark.parametrize(
    ("options", "fault", "exits", "says"),
    [
        ({}, "", 0, ()),
        ({"epoch": 3}, "", 1, ("failed: ", "epoch", "(invalid_options)")),
        ({}, "train:child:SIGKILL", 3, ("was put back, and can be run again: ", "SIGKILL", "(child_died)")),
    ],
)
def test_how_a_job_ended_is_told_by_the_status_and_a_sentence(
    shop: Shop, options: dict[str, object], fault: str, exits: int, says: tuple[str, ...]
) -> None:
    job_id = shop.insert_job(options)
    settings = {"FAULT": fault} if fault else {}
    assert_ended(train(shop, job_id, **settings), exits, *(says and (f"Job {job_id} ", *says)))


def test_a_job_that_was_stopped_or_cancelled_is_told_from_a_failed_one(shop: Shop) -> None:
    held = {"TRAINING": "held", "HOLD_AT": "train", "STUB_SECONDS": "0.05", "SHUTDOWN_GRACE": "0"}
    job_id = shop.insert_job()
    stopped = train(shop, job_id, **held)
    status(shop, job_id, "Running")
    stopped.send_signal(signal.SIGTERM)
    assert_ended(stopped, 3, f"Job {job_id} was put back, and can be run again.")
    cancelled = train(shop, job_id, **held)
    status(shop, job_id, "Running")
    with shop.connect() as connection:
        connection.execute("SELECT cancel_training_job(%s)", (job_id,))
    assert_ended(cancelled, 1, f"Job {job_id} was cancelled.")
