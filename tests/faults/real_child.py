"""The worker's own training child, with faults. With CONVERTED, a cache, it takes its backbone and converts none."""

import os
import shutil
from pathlib import Path

from tests.faults.fault import strike
from tests.support.backbones import backbone_of
from worker.backbone import cache
from worker.backbone.weights import WeightsFile
from worker.child.__main__ import main
from worker.job.progress import Phase
from worker.pipeline import pipeline, tracker


class FaultyTracker(tracker.ProgressTracker):
    """Calls `strike` at the start of each stage."""

    def step(self, fraction: float, current_stage: str = "", phase: Phase | None = None) -> None:
        super().step(fraction, current_stage, phase)
        if fraction == 0.0:
            strike(self._current.stage)


def copy_converted(weights: WeightsFile, folder: Path) -> None:
    setattr(cache, "_convert", convert)  # noqa: B010
    made = backbone_of(weights.architecture.name, Path(os.environ["CONVERTED"])).folder
    shutil.copytree(made, folder, dirs_exist_ok=True)


convert = cache._convert


if __name__ == "__main__":
    setattr(pipeline, "ProgressTracker", FaultyTracker)  # noqa: B010
    if "CONVERTED" in os.environ:
        setattr(cache, "_convert", copy_converted)  # noqa: B010
    main()
