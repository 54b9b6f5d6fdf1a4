"""The backoff is bounded, whatever the number of failures."""

import pytest

from worker.queue.retry import LONGEST_JOB_DELAY, job_backoff


@pytest.mark.parametrize("failures", [-(2**31), 1101, 2**31 - 1])
def test_any_number_of_failures_has_a_delay(failures: int) -> None:
    assert 0 <= job_backoff(10).seconds(failures) <= LONGEST_JOB_DELAY
