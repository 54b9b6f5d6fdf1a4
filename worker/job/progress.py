"""What a running job tells of itself: stages, percentages, epochs, and when it will be done."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Stage(StrEnum):
    """The stages of a job, in their order; `pipeline.py` has a paragraph for each."""

    FETCH_PHOTOS = "fetch_photos"
    PREPARE_DATASET = "prepare_dataset"
    BUILD_MODEL = "build_model"
    TRAIN = "train"
    EXPORT = "export"
    DEPLOY = "deploy"


@dataclass(frozen=True)
class Percentages:
    """What the job's row shows at the start and at the end of a stage."""

    first: int
    last: int


PERCENTAGES: Final = {
    Stage.FETCH_PHOTOS: Percentages(0, 5),
    Stage.PREPARE_DATASET: Percentages(10, 20),
    Stage.BUILD_MODEL: Percentages(25, 25),
    Stage.TRAIN: Percentages(30, 80),
    Stage.EXPORT: Percentages(85, 95),
    Stage.DEPLOY: Percentages(95, 99),
}
"""100 is written with the job's completion, and by nothing else."""


class Phase(StrEnum):
    """The phases of the train stage, in their order."""

    FEATURES = "features"
    HEAD = "head"
    STARTUP = "startup"
    TRIAL = "trial"
    TUNING = "tuning"


@dataclass(frozen=True)
class StageStarted:
    stage: Stage


@dataclass(frozen=True)
class StageFinished:
    stage: Stage
    seconds: float


@dataclass(frozen=True)
class Advanced:
    """`percentage` of the whole job, what the column "CurrentStage" says to people, seconds until the job is done."""

    percentage: int
    current_stage: str
    seconds_left: float


@dataclass(frozen=True)
class EpochFinished:
    """One pass over the photos in fine-tuning. `phase` is the trial, which decides whether fine-tuning is worth
    it, or the training of what is published; `loss` is the mean over the pass."""

    phase: Phase
    epoch: int
    epochs: int
    loss: float


@dataclass(frozen=True)
class FeaturesReady:
    """Number of photos, of their views, and of those views that were computed; the store had the others."""

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
    """A photo that cannot be used: its path below the storage, and why."""

    photo: str
    reason: str


Update = StageStarted | StageFinished | Advanced | EpochFinished | FeaturesReady | ModelChosen | PhotoSkipped
Notify = Callable[[Update], None]
