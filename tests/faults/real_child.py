"""The worker's own training child, with faults."""

from tests.faults.fault import strike
from worker.child.__main__ import main
from worker.job import progress


class FaultyProgress(progress.Progress):
    """Strikes at the start of a stage."""

    def step(self, fraction: float, sentence: str = "", phase: str = "") -> None:
        super().step(fraction, sentence, phase)
        if fraction == 0.0:
            strike(self._stage)


if __name__ == "__main__":
    progress.Progress = FaultyProgress  # type: ignore[misc]
    main()
