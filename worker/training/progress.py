"""What a running job tells of itself: stages, percentages, epochs, and when it will be done."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """The stages of a job, in their order; each has a file of this name beside this one."""

    FETCH_PHOTOS = "fetch_photos"
    PREPARE_DATASET = "prepare_dataset"
    BUILD_MODEL = "build_model"
    TRAIN = "train"
    EXPORT = "export"
    DEPLOY = "deploy"


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
    Stage.PREPARE_DATASET: Span(10, 20, 0.1, 0.003),
    Stage.BUILD_MODEL: Span(25, 25, 2.0, 0.0),
    Stage.TRAIN: Span(30, 80, 2.0, 0.03),
    Stage.EXPORT: Span(85, 95, 5.0, 0.0),
    Stage.DEPLOY: Span(95, 99, 0.2, 0.0),
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
    """`accuracy` is that of the photos held out, `None` where none could be."""

    epoch: int
    epochs: int
    loss: float
    accuracy: float | None


@dataclass(frozen=True)
class PhotoSkipped:
    photo: str
    reason: str


Update = StageStarted | StageFinished | Advanced | EpochFinished | PhotoSkipped
Report = Callable[[Update], None]


class Progress:
    """Turns the pipeline's steps into updates for `report`; one for each job."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self._photos = 0
        self._seconds: dict[Stage, float] = {}
        self._stage = Stage.FETCH_PHOTOS
        self._started = time.monotonic()
        self._sentence = ""

    def expect(self, photos: int) -> None:
        """Say how many photos there are, which tells how long the job will take."""
        self._photos = photos

    @contextmanager
    def stage(self, stage: Stage, sentence: str) -> Iterator[None]:
        """Time the stage that runs inside, and tell of its beginning and its end."""
        self._stage, self._started = stage, time.monotonic()
        self.report(StageStarted(stage))
        self.step(0.0, sentence)
        yield
        self.step(1.0, self._sentence)
        self._seconds[stage] = time.monotonic() - self._started
        self.report(StageFinished(stage, round(self._seconds[stage], 3)))

    def step(self, fraction: float, sentence: str) -> None:
        """Say that `fraction` (0 to 1) of the running stage is done."""
        self._sentence = sentence
        span = SPANS[self._stage]
        percentage = round(span.first + (span.last - span.first) * fraction)
        self.report(Advanced(percentage, sentence, round(self._seconds_left(fraction), 1)))

    def _seconds_left(self, fraction: float) -> float:
        expected = {stage: span.fixed + span.per_photo * self._photos for stage, span in SPANS.items()}
        done = sum(expected[stage] for stage in self._seconds) + expected[self._stage] * fraction
        spent = sum(self._seconds.values()) + time.monotonic() - self._started
        # Two seconds of the expected pace temper the first steps, when little was measured.
        pace = (spent + 2.0) / (done + 2.0)
        return max(0.0, (sum(expected.values()) - done) * pace)
