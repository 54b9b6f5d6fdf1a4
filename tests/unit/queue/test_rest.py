"""A worker without a job sleeps until something is due, and asks ever more seldom beside a locked row."""

from worker.queue.rest import Rest
from worker.queue.retry import WHILE_LOCKED


def test_a_worker_rests_until_the_next_job_is_due_but_looks_again_in_any_case() -> None:
    rest = Rest(5.0)
    assert rest.seconds() == 5.0
    for seconds, least, most in ((None, 5.0, 5.0), (0.5, 0.55, 0.75), (4.9, 4.95, 5.0), (86400.0, 5.0, 5.0)):
        rest.found_nothing(seconds)
        assert least <= rest.seconds() <= most


def test_beside_a_locked_row_the_rests_grow_up_to_a_limit() -> None:
    rest = Rest(5.0)
    rests = []
    for _ in range(8):
        rest.found_nothing(0.0)
        rests.append(rest.seconds())
    assert rests[0] <= WHILE_LOCKED.first
    assert rests[-1] >= 0.5 * WHILE_LOCKED.longest
    assert max(rests) <= WHILE_LOCKED.longest
    rest.found_nothing(3.0)
    rest.found_nothing(0.0)
    assert rest.seconds() <= WHILE_LOCKED.first


def test_a_worker_that_polls_often_goes_on_doing_so_beside_a_locked_row() -> None:
    rest = Rest(0.1)
    for _ in range(8):
        rest.found_nothing(0.0)
        assert rest.seconds() <= 0.1
