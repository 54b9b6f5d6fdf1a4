"""What a running job tells of itself: stages, percentages, epochs, and when it will be done."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """The stages of a job, in their order; `pipeline.py` has a paragraph for each."""

    FETCH_PHOTOS = "fetch_photos"
    PREPARE_DATASET = "prepare_dataset"
    BUILD_MODEL = "build_model"
    TRAIN = "train"
    EXPORT = "export"
    DEPLOY = "deploy"


class Phase(StrEnum):
    """The phases of the train stage, in their order."""

    FEATURES = "features"
    HEAD = "head"
    STARTUP = "startup"
    TRIAL = "trial"
    TUNING = "tuning"


@dataclass(frozen=True)
class Span:
    """A stage's percentages, and the seconds it took where this was measured (2 cores): `fixed` and
    `per_photo`. Only the proportions of the seconds matter: a job's own speed scales them."""

    first: int
    last: int
    fixed: float
    per_photo: float


SPANS = {
    Stage.FETCH_PHOTOS: Span(0, 5, 0.1, 0.0),
    Stage.PREPARE_DATASET: Span(10, 20, 0.05, 0.0005),
    Stage.BUILD_MODEL: Span(25, 25, 0.1, 0.0),
    Stage.TRAIN: Span(30, 80, 2.0, 0.1),
    Stage.EXPORT: Span(85, 95, 0.2, 0.0),
    Stage.DEPLOY: Span(95, 99, 1.2, 0.001),
}


@dataclass(frozen=True)
class StageStarted:
    stage: Stage


@dataclass(frozen=True)
class StageFinished:
    stage: Stage
    seconds: float


@dataclass(frozen=True)
class Advanced:
    """`percentage` of the whole job, a sentence for people, seconds until the job is done."""

    percentage: int
    sentence: str
    seconds_left: float


@dataclass(frozen=True)
class EpochFinished:
    """A pass over the photos in fine-tuning: in the trial, which decides whether it is worth it, or in the
    training of what is published."""

    phase: Phase
    epoch: int
    epochs: int
    loss: float


@dataclass(frozen=True)
class FeaturesReady:
    """So many of the photos' views had to be computed; the store had the others."""

    photos: int
    views: int
    computed: int


@dataclass(frozen=True)
class ModelChosen:
    """What is published, and why, for people."""

    method: str
    reason: str


@dataclass(frozen=True)
class PhotoSkipped:
    photo: str
    reason: str


Update = StageStarted | StageFinished | Advanced | EpochFinished | FeaturesReady | ModelChosen | PhotoSkipped
Report = Callable[[Update], None]


class Record:
    """Passes on what it is told, and keeps what a report shows of it: the epochs, and how long stages took."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.epochs: list[EpochFinished] = []
        self.stages: dict[str, float] = {}

    def __call__(self, update: Update) -> None:
        if isinstance(update, EpochFinished):
            self.epochs.append(update)
        elif isinstance(update, StageFinished):
            self.stages[str(update.stage)] = update.seconds
        self._report(update)


STAGES = frozenset(str(stage) for stage in Stage)


class Progress:
    """Turns the pipeline's steps into updates for `report`; one for each job."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self._expected = {stage: {str(stage): SPANS[stage].fixed} for stage in Stage}
        self._finished: dict[str, float] = {}
        self._stage = Stage.FETCH_PHOTOS
        self._phase = str(self._stage)
        self._started = self._told = time.monotonic()
        self._sentence = ""

    def expect_photos(self, photos: int) -> None:
        """Say how many photos there are, which tells how long the stages will take."""
        for stage, span in SPANS.items():
            if stage not in self._finished:
                self._expected[stage] = {str(stage): span.fixed + span.per_photo * photos}

    def expect(self, stage: Stage, phases: Mapping[Phase, float]) -> None:
        """Say of which phases a stage consists, and how many seconds each is likely to take."""
        self._expected[stage] = {str(phase): seconds for phase, seconds in phases.items()}
        if stage is self._stage:
            self._phase = next(iter(self._expected[stage]))

    @contextmanager
    def stage(self, stage: Stage, sentence: str) -> Iterator[None]:
        """Time the stage that runs inside, and tell of its beginning and its end."""
        began = self._started = time.monotonic()
        self._stage, self._phase = stage, next(iter(self._expected[stage]))
        self.report(StageStarted(stage))
        self.step(0.0, sentence)
        yield
        seconds = time.monotonic() - began
        # Phases that never came are no part of it: its pace is that of what there was, and nothing of it is left.
        came = {*self._finished, self._phase}
        self._expected[stage] = {
            str(stage): sum(took for name, took in self._expected[stage].items() if name in came)
        }
        self._finished = {name: took for name, took in self._finished.items() if name in STAGES}
        self._finished[stage] = seconds
        self._phase = str(stage)
        self.step(1.0, self._sentence)
        self.report(StageFinished(stage, round(seconds, 3)))

    def step(self, fraction: float, sentence: str = "", phase: str = "") -> None:
        """Say that `fraction` (0 to 1) is done of the running stage, or of a phase of it."""
        if phase and phase != self._phase:
            # What is told of first took its time too: the phase began with the last word of the one before.
            self._finished[self._phase] = self._told - self._started
            self._started, self._phase = self._told, phase
        self._told = time.monotonic()
        self._sentence = sentence or self._sentence
        span, phases = SPANS[self._stage], self._expected[self._stage]
        done = sum(
            seconds for name, seconds in phases.items() if name in self._finished and name != self._phase
        )
        total = sum(phases.values())
        share = (done + phases[self._phase] * fraction) / total if total else fraction
        percentage = round(span.first + (span.last - span.first) * min(1.0, share))
        self.report(Advanced(percentage, self._sentence, round(self._seconds_left(fraction), 1)))

    def _seconds_left(self, fraction: float) -> float:
        """What is expected of the rest, at the pace of this phase for its own part, of the job for others."""
        expected = {name: seconds for phases in self._expected.values() for name, seconds in phases.items()}
        here, running = expected[self._phase], self._phase not in self._finished
        elapsed = time.monotonic() - self._started if running else 0.0
        known = sum(expected[name] for name in self._finished if name in expected)
        # Two seconds at the expected pace temper the first steps, when little was measured.
        job_pace = (sum(self._finished.values()) + elapsed + 2.0) / (known + here * fraction * running + 2.0)
        pace = (elapsed + 2.0 * job_pace) / (here * fraction + 2.0)
        later = sum(seconds for name, seconds in expected.items() if self._is_later(name))
        return max(0.0, running * here * (1 - fraction) * pace + later * job_pace)

    def _is_later(self, name: str) -> bool:
        names = [name for phases in self._expected.values() for name in phases]
        return names.index(name) > names.index(self._phase)
