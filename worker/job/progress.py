"""The progress reports of a running job: stages, percentages, epochs, and the time left."""

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
    """The percentage in the job's row at the start and at the end of a stage."""

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
"""Only the job's completion writes 100."""


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
    """`percentage` of the whole job, the text for "CurrentStage", and the seconds until the job is done."""

    percentage: int
    current_stage: str
    seconds_left: float


@dataclass(frozen=True)
class EpochFinished:
    """One epoch of fine-tuning. `phase` is the trial, which decides whether to fine-tune, or the tuning of the
    published model; `loss` is the epoch's mean."""

    phase: Phase
    epoch: int
    epochs: int
    loss: float


@dataclass(frozen=True)
class BackboneChosen:
    """The name of the backbone's architecture, that of its weights, and the reason for people."""

    backbone: str
    weights: str
    reason: str


@dataclass(frozen=True)
class FeaturesReady:
    """Numbers of photos, of their views, and of computed views; the others were in the store."""

    photos: int
    views: int
    computed: int


@dataclass(frozen=True)
class ModelChosen:
    """The method of the published model, and the reason for people."""

    method: str
    reason: str


@dataclass(frozen=True)
class PhotoSkipped:
    """A photo that cannot be used: its path below the storage, and the reason."""

    photo: str
    reason: str


@dataclass(frozen=True)
class CacheUnusable:
    """CACHE_PATH cannot be used, for this reason: the job does without, and takes longer."""

    reason: str

    @classmethod
    def because(cls, error: OSError) -> "CacheUnusable":
        return cls(f"{error.strerror or error}: {error.filename or 'CACHE_PATH'}")


Update = (
    StageStarted
    | StageFinished
    | Advanced
    | EpochFinished
    | BackboneChosen
    | FeaturesReady
    | ModelChosen
    | PhotoSkipped
    | CacheUnusable
)
Notify = Callable[[Update], None]
