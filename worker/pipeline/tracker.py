"""Turns the pipeline's steps into the updates that the daemon hears: percentages, and the seconds left."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from worker.job.progress import (
    PERCENTAGES,
    Advanced,
    CacheUnusable,
    EpochFinished,
    Notify,
    Phase,
    Stage,
    StageFinished,
    StageStarted,
    Update,
)
from worker.pipeline.estimates import Step, job_seconds

# Seconds at the expected pace that temper the first steps, when little was measured.
TEMPER = 2.0

_STAGES, _PHASES = tuple(Stage), (None, *Phase)


class Record:
    """Passes updates on, and keeps those that the report shows: the epochs, and the seconds of each stage.

    That the cache cannot be used is passed on once.
    """

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self.epochs: list[EpochFinished] = []
        self.stages: dict[Stage, float] = {}
        self._has_cache = True

    def __call__(self, update: Update) -> None:
        if isinstance(update, EpochFinished):
            self.epochs.append(update)
        elif isinstance(update, StageFinished):
            self.stages[update.stage] = update.seconds
        elif isinstance(update, CacheUnusable):
            if not self._has_cache:
                return
            self._has_cache = False
        self._notify(update)

    def cache_failed(self, error: OSError) -> None:
        """Tell why CACHE_PATH cannot be used."""
        self(CacheUnusable.because(error))


class ProgressTracker:
    """Knows what every step of a job is expected to take and what it took; one for each job."""

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self._expected = job_seconds(photos=0, views=0, epochs=0)
        self._took: dict[Step, float] = {}
        self._current = Step(Stage.FETCH_PHOTOS)
        self._began = self._told = time.monotonic()
        self._current_stage = ""

    def expect(self, seconds: Mapping[Step, float]) -> None:
        """Replace what is expected of the stages in `seconds`, but for those that have ended."""
        ended = {step.stage for step in self._took if step.phase is None}
        replaced = {step.stage for step in seconds} - ended
        kept = {step: value for step, value in self._expected.items() if step.stage not in replaced}
        self._set_expected(kept | {step: value for step, value in seconds.items() if step.stage in replaced})
        if self._current.stage in replaced:
            self._current = self._steps_of(self._current.stage)[0]

    @contextmanager
    def stage(self, stage: Stage, current_stage: str) -> Iterator[None]:
        """Time the stage that runs inside, and tell of its beginning and its end; `current_stage` is for people."""
        began = self._began = time.monotonic()
        self._current = self._steps_of(stage)[0]
        self._notify(StageStarted(stage))
        self.step(0.0, current_stage)
        yield
        seconds = time.monotonic() - began
        self._end(stage, seconds)
        self.step(1.0)
        self._notify(StageFinished(stage, round(seconds, 3)))

    def step(self, fraction: float, current_stage: str = "", phase: Phase | None = None) -> None:
        """Say that `fraction` (0 to 1) is done of the running stage, or of a phase of it."""
        if phase not in (None, self._current.phase):
            # What is told of first took its time too: the phase began with the last word of the one before.
            self._took[self._current] = self._told - self._began
            self._began, self._current = self._told, Step(self._current.stage, phase)
        self._told = time.monotonic()
        self._current_stage = current_stage or self._current_stage
        percentages = PERCENTAGES[self._current.stage]
        share = min(1.0, self._share_of_stage(fraction))
        percentage = round(percentages.first + (percentages.last - percentages.first) * share)
        self._notify(Advanced(percentage, self._current_stage, round(self._seconds_left(fraction), 1)))

    def _end(self, stage: Stage, seconds: float) -> None:
        """Make one step of the stage's phases. Those that never came are no part of it: its pace is that of what
        there was, and nothing of it is left."""
        steps = self._steps_of(stage)
        expected = sum(self._expected[step] for step in steps if step in self._took or step == self._current)
        for step in steps:
            del self._expected[step]
            self._took.pop(step, None)
        self._current = Step(stage)
        self._took[self._current] = seconds
        self._set_expected(self._expected | {self._current: expected})

    def _share_of_stage(self, fraction: float) -> float:
        steps = self._steps_of(self._current.stage)
        done = sum(self._expected[step] for step in steps if step in self._took and step != self._current)
        total = sum(self._expected[step] for step in steps)
        return (done + self._expected[self._current] * fraction) / total if total else fraction

    def _seconds_left(self, fraction: float) -> float:
        """What is expected of the rest: at the pace of this step for its own part, of the job for the others."""
        here, running = self._expected[self._current], self._current not in self._took
        elapsed = time.monotonic() - self._began if running else 0.0
        known = sum(self._expected[step] for step in self._took) + here * fraction * running
        job_pace = (sum(self._took.values()) + elapsed + TEMPER) / (known + TEMPER)
        pace = (elapsed + TEMPER * job_pace) / (here * fraction + TEMPER)
        steps = list(self._expected)
        later = sum(self._expected[step] for step in steps[steps.index(self._current) + 1 :])
        return max(0.0, running * here * (1 - fraction) * pace + later * job_pace)

    def _steps_of(self, stage: Stage) -> list[Step]:
        return [step for step in self._expected if step.stage is stage]

    def _set_expected(self, expected: Mapping[Step, float]) -> None:
        """In the order in which the steps come."""
        self._expected = dict(sorted(expected.items(), key=lambda item: _place_in_job(item[0])))


def _place_in_job(step: Step) -> tuple[int, int]:
    return _STAGES.index(step.stage), _PHASES.index(step.phase)
