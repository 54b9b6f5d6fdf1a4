"""A time budget counts down, and says what fits into what is left of it."""

import math

from tests.support.clock import Clock
from worker.job.options import Profile
from worker.job.progress import Phase
from worker.training.budget import FEATURES_SHARE, RECIPES, Budget, train_phases


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


def test_phases_take_longer_for_more_photos_and_only_those_that_there_will_be() -> None:
    for recipe in RECIPES.values():
        small, large = (train_phases(photos, recipe.views, recipe.epochs) for photos in (50, 5000))
        assert list(small) == list(Phase)
        assert sum(small.values()) < sum(large.values())
        assert (small[Phase.TRIAL] > 0) == (small[Phase.TUNING] > 0) == (recipe.epochs > 0)
    assert set(FEATURES_SHARE) == set(RECIPES) == set(Profile)
