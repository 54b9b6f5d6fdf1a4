"""How long the steps of a job are expected to take."""

from worker.job.options import Profile
from worker.job.progress import Phase, Stage
from worker.pipeline.estimates import Step, job_seconds
from worker.training.profiles import RECIPES


def test_steps_take_longer_for_more_photos_and_only_those_that_there_will_be() -> None:
    for recipe in RECIPES.values():
        small, large = (job_seconds(photos, recipe.views, recipe.epochs) for photos in (50, 5000))
        assert list(small) == list(large)
        assert list(dict.fromkeys(step.stage for step in small)) == list(Stage)
        assert [step.phase for step in small if step.stage is Stage.TRAIN] == list(Phase)
        assert sum(small.values()) < sum(large.values())
        trial, tuning = (small[Step(Stage.TRAIN, phase)] for phase in (Phase.TRIAL, Phase.TUNING))
        assert (trial > 0) == (tuning > 0) == (recipe.epochs > 0)
    assert set(RECIPES) == set(Profile)
