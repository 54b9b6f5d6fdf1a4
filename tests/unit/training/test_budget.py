"""A time budget counts down, and says what fits into what is left of it."""

import math

from tests.support.clock import Clock
from worker.training.budget import Budget


def test_a_budget_counts_down_and_without_seconds_there_is_always_time(clock: Clock) -> None:
    budget, endless = Budget(60), Budget(None)
    clock.now += 15
    assert budget.left == 45
    assert budget.fitting(10, 5.0) == 9
    assert budget.fitting(3, 5.0) == 3
    assert budget.fitting(10, 5.0, share=0.4) == 3
    assert budget.fitting(10, 0.0) == 10
    clock.now += 60
    assert budget.left < 0
    assert budget.fitting(10, 5.0) == 0
    assert endless.left == math.inf
    assert endless.fitting(10, 1e9) == 10
