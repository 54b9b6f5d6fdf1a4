"""An outage is told with its cause, again every minute, and its end once."""

import pytest
from structlog.testing import capture_logs

from tests.support.clock import Clock
from worker.database.outage import AGAIN_SECONDS, Outage
from worker.events import Event


def test_an_outage_is_told_again_every_minute_and_its_end_once(clock: Clock) -> None:
    outage = Outage()
    with capture_logs() as logs:
        outage.is_over()
        for second in range(150):
            clock.now = 1000.0 + second
            outage.goes_on(f"cause {second}")
        assert outage.seconds == 149
        outage.is_over()
        outage.is_over()
    assert outage.seconds == 0
    assert [(log["event"], log.get("reason"), log["seconds"]) for log in logs] == [
        (Event.DATABASE_LOST, "cause 0", 0),
        (Event.DATABASE_LOST, "cause 60", 60),
        (Event.DATABASE_LOST, "cause 120", 120),
        (Event.DATABASE_BACK, None, 149),
    ]
    assert pytest.approx(60) == AGAIN_SECONDS


def test_the_next_outage_is_told_at_once(clock: Clock) -> None:
    outage = Outage()
    with capture_logs() as logs:
        for cause in ("one", "two"):
            outage.goes_on(cause)
            clock.now += 1
            outage.is_over()
    assert [log["reason"] for log in logs if log["event"] == Event.DATABASE_LOST] == ["one", "two"]
