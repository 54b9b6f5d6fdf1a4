"""How long a job's steps take: seconds measured on 2 cores. Only their proportions matter, as a job's own speed
scales them."""

from dataclasses import dataclass

from worker.job.progress import Phase, Stage


@dataclass(frozen=True)
class Step:
    """A stage, or one phase of a stage that has several."""

    stage: Stage
    phase: Phase | None = None


def job_seconds(photos: int, views: int, epochs: int) -> dict[Step, float]:
    """Seconds of every step of a job, in their order; `views` of each photo, `epochs` of fine-tuning."""
    training = {
        Step(Stage.TRAIN, phase): seconds for phase, seconds in _phases(photos, views, epochs).items()
    }
    return {
        Step(Stage.FETCH_PHOTOS): 0.1,
        Step(Stage.PREPARE_DATASET): 0.05 + 0.0005 * photos,
        Step(Stage.BUILD_MODEL): 0.1,
        **training,
        Step(Stage.EXPORT): 0.2,
        Step(Stage.DEPLOY): 1.2 + 0.001 * photos,
    }


def _phases(photos: int, views: int, epochs: int) -> dict[Phase, float]:
    tuning = 1.0 + 0.0045 * max(photos, 192) * epochs if epochs else 0.0
    return {
        Phase.FEATURES: 0.2 + 0.005 * photos * views,
        Phase.HEAD: 0.3 + min(2.5, 0.0006 * photos * views) + 0.0003 * photos * views,
        Phase.STARTUP: 6.0 if epochs else 0.0,
        Phase.TRIAL: 0.75 * tuning,
        Phase.TUNING: tuning,
    }
