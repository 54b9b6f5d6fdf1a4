"""The child that stands by: a job need not wait for what it has done already, and it is no trouble to anybody."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from tests.support.shop import Shop
from tests.support.waiting import DEADLINE
from worker.events import Event


@contextmanager
def standing_by(shop: Shop) -> Iterator["subprocess.Popen[str]"]:
    """A worker whose child stands by; gone with all its processes afterwards."""
    process = shop.worker("run", WARM_STANDBY="1", POLL_SECONDS="0.2")
    assert wait_for(process, Event.BACKBONE_READY)["stands_by"] is True
    try:
        yield process
    finally:
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=DEADLINE)
        assert process.returncode == 0
        assert [child for child in children if child.is_running()] == []


def wait_for(process: "subprocess.Popen[str]", event: Event) -> dict[str, Any]:
    assert process.stdout
    for line in process.stdout:
        logged: dict[str, Any] = json.loads(line)
        if logged["event"] == event:
            return logged
    raise AssertionError(f"the worker ended before {event}")


def test_the_child_that_stands_by_gets_the_job_and_another_takes_its_place(shop: Shop) -> None:
    with standing_by(shop) as process:
        [standby] = psutil.Process(process.pid).children()
        job_id = shop.insert_job({"profile": "quick"})
        assert wait_for(process, Event.CHILD_STARTED)["child_pid"] == standby.pid
        wait_for(process, Event.JOB_COMPLETED)
        assert shop.job(job_id)["Status"] == "Completed"
        wait_for(process, Event.BACKBONE_READY)
        [next_one] = psutil.Process(process.pid).children()
        assert next_one.pid != standby.pid


def test_a_child_that_died_standing_by_costs_no_job(shop: Shop) -> None:
    with standing_by(shop) as process:
        [standby] = psutil.Process(process.pid).children()
        standby.kill()
        while psutil.pid_exists(standby.pid):  # until the worker has heard of it
            time.sleep(0.05)
        job_id = shop.insert_job({"profile": "quick"})
        assert wait_for(process, Event.CHILD_STARTED)["child_pid"] != standby.pid
        wait_for(process, Event.JOB_COMPLETED)
        assert shop.job(job_id)["AttemptCount"] == 1


@pytest.mark.parametrize("stands_by", ["0", "1"])
def test_weights_that_cannot_be_had_are_told_at_the_start(shop: Shop, stands_by: str) -> None:
    process = shop.worker("run", WARM_STANDBY=stands_by, BASE_WEIGHTS=__file__)
    event = wait_for(process, Event.BACKBONE_UNUSABLE)
    assert event["error_code"] == "base_weights_invalid"
    assert __file__ in event["error_message"]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
