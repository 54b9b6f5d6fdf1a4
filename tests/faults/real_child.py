"""The worker's own training child, with faults."""

from tests.faults.fault import strike
from worker.child.__main__ import main
from worker.job.progress import Phase
from worker.pipeline import pipeline, tracker


class FaultyTracker(tracker.ProgressTracker):
    """Calls `strike` at the start of each stage."""

    def step(self, fraction: float, current_stage: str = "", phase: Phase | None = None) -> None:
        super().step(fraction, current_stage, phase)
        if fraction == 0.0:
            strike(self._current.stage)


if __name__ == "__main__":
    setattr(pipeline, "ProgressTracker", FaultyTracker)  # noqa: B010
    main()
