"""What a job says of itself: stages, percentages, and when it will be done."""

from itertools import pairwise

import numpy as np
import pytest

from tests.support.clock import Clock
from worker.job.progress import PERCENTAGES, Advanced, Phase, Stage, StageFinished, StageStarted, Update
from worker.pipeline.estimates import Step, job_seconds
from worker.pipeline.tracker import ProgressTracker


def test_progress_tells_stages_percentages_and_a_time_left() -> None:
    updates: list[Update] = []
    progress = ProgressTracker(updates.append)
    progress.expect(job_seconds(100, views=5, epochs=6))
    for stage in Stage:
        with progress.stage(stage, f"Doing {stage}"):
            progress.step(0.5, "half")
    assert [update.stage for update in updates if isinstance(update, StageStarted)] == list(Stage)
    assert [update.stage for update in updates if isinstance(update, StageFinished)] == list(Stage)
    advanced = [update for update in updates if isinstance(update, Advanced)]
    percentages = [update.percentage for update in advanced]
    assert percentages == sorted(percentages)
    assert percentages[0] == 0
    assert percentages[-1] == 99
    assert advanced[0].seconds_left > 10
    assert advanced[-1].seconds_left == 0


PHASES = dict(zip(Phase, (34.0, 4.0, 6.0, 20.0, 26.0), strict=True))
STEPS = {Step(Stage.TRAIN, phase): seconds for phase, seconds in PHASES.items()}


def simulate(
    clock: Clock, paces: dict[Phase, float], leave_out: tuple[Phase, ...] = ()
) -> list[tuple[float, Advanced]]:
    """What a job tells, with when it does, whose phases take `paces` times as long as expected, and whose other
    stages as many times as they do on average."""
    pace = sum(seconds * paces[phase] for phase, seconds in PHASES.items()) / sum(PHASES.values())
    told: list[tuple[float, Advanced]] = []

    def report(update: Update) -> None:
        if isinstance(update, Advanced):
            told.append((clock.now, update))

    progress = ProgressTracker(report)
    progress.expect(job_seconds(900, views=5, epochs=6) | STEPS)
    for stage in Stage:
        with progress.stage(stage, f"Doing {stage}"):
            if stage is not Stage.TRAIN:
                clock.now += pace * job_seconds(900, views=5, epochs=6)[Step(stage)]
                continue
            progress.expect(STEPS)
            for phase in [phase for phase in Phase if phase not in leave_out]:
                for number in range(1, 41):
                    clock.now += PHASES[phase] * paces[phase] / 40
                    progress.step(number / 40, f"{phase}: {number} of 40", phase)
    return told


@pytest.mark.parametrize("pace", [0.1, 0.5, 1.0, 3.0, 20.0])
def test_from_the_middle_of_a_job_the_time_left_is_true_whatever_the_machines_speed(
    clock: Clock, pace: float
) -> None:
    told = simulate(clock, dict.fromkeys(Phase, pace))
    assert_true_from_the_middle(told)


@pytest.mark.parametrize(
    "paces",
    [
        (1.0, 3.0, 0.8, 1.3, 1.3),
        (2.0, 1.0, 1.5, 1.7, 2.2),
        (0.5, 0.2, 0.5, 0.6, 0.6),
        (3.0, 6.0, 2.0, 2.5, 3.0),
    ],
)
def test_from_the_middle_of_a_job_the_time_left_is_true_though_its_phases_differ_in_pace(
    clock: Clock, paces: tuple[float, ...]
) -> None:
    told = simulate(clock, dict(zip(Phase, paces, strict=True)))
    assert_true_from_the_middle(told)


def test_a_job_that_goes_as_expected_tells_the_true_time_left_throughout(clock: Clock) -> None:
    told = simulate(clock, dict.fromkeys(Phase, 1.0))
    end = told[-1][0]
    assert all(abs(update.seconds_left - (end - when)) < 2.5 for when, update in told)


def assert_true_from_the_middle(told: list[tuple[float, Advanced]]) -> None:
    end = told[-1][0]
    middle = (told[0][0] + end) / 2
    later = [(end - when, update.seconds_left) for when, update in told if when >= middle]
    leeway = max(1.0, 0.01 * (end - told[0][0]))
    assert len(later) > 10
    for true, said in later:
        assert abs(said - true) <= 0.25 * true + leeway, f"{said} s, but it took {true:.1f}"


@pytest.mark.parametrize("leave_out", [(), (Phase.TUNING,), (Phase.TRIAL, Phase.TUNING)])
@pytest.mark.parametrize("pace", [0.2, 5.0])
def test_percentages_never_go_back_whichever_phases_there_are(
    clock: Clock, pace: float, leave_out: tuple[Phase, ...]
) -> None:
    told = simulate(clock, {phase: pace**place for place, phase in enumerate(Phase)}, leave_out)
    percentages = [update.percentage for _, update in told]
    assert all(before <= after for before, after in pairwise(percentages))
    assert (percentages[0], percentages[-1]) == (0, 99)
    assert told[-1][1].seconds_left == 0
    assert all(update.seconds_left >= 0 for _, update in told)


def test_a_stage_that_takes_no_time_takes_no_percentage_back(clock: Clock) -> None:
    updates: list[Update] = []
    progress = ProgressTracker(updates.append)
    for stage in Stage:
        with progress.stage(stage, f"Doing {stage}"):
            pass
    percentages = [update.percentage for update in updates if isinstance(update, Advanced)]
    assert percentages == sorted(percentages)
    assert percentages[-1] == 99


def test_phases_may_be_expected_before_their_stage_begins() -> None:
    updates: list[Update] = []
    progress = ProgressTracker(updates.append)
    with progress.stage(Stage.FETCH_PHOTOS, "Fetching photos"):
        progress.expect(STEPS)
        progress.step(0.5, "half")
    with progress.stage(Stage.TRAIN, "Training"):
        progress.step(1.0, "all", Phase.FEATURES)
    percentages = [update.percentage for update in updates if isinstance(update, Advanced)]
    assert percentages == sorted(percentages)
    assert np.isin(round(30 + 50 * 34 / 90), percentages)


def test_progress_goes_forward_by_stages() -> None:
    spans = list(PERCENTAGES.values())
    assert all(a.last <= b.first for a, b in pairwise(spans))
