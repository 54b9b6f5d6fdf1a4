"""An evaluation that can be counted by hand."""

import numpy as np
import numpy.typing as npt

from worker.arrays import Floats
from worker.evaluation.metrics import Evaluation, evaluate

SKUS = ("A", "B", "C", "D", "E")
PHOTOS = np.array([6, 5, 4, 3, 1])
PROBABILITIES = np.array(
    [
        [0.75, 0.10, 0.05, 0.05, 0.05],
        [0.10, 0.65, 0.15, 0.05, 0.05],
        [0.15, 0.55, 0.10, 0.12, 0.08],
        [0.02, 0.96, 0.01, 0.005, 0.005],
        [0.30, 0.20, 0.08, 0.32, 0.10],
        [0.78, 0.10, 0.06, 0.03, 0.03],
        [0.02, 0.02, 0.94, 0.01, 0.01],
        [0.30, 0.20, 0.05, 0.31, 0.14],
    ]
)
SHOWN = np.array([0, 0, 0, 1, 1, 2, 2, 4])


def small() -> Evaluation:
    """Eight photos of four of five products; of "D" there is none, though it is an answer twice."""
    return evaluate(logits_of(PROBABILITIES), SHOWN, np.arange(8), SKUS, PHOTOS)


def logits_of(probabilities: npt.NDArray[np.float64]) -> Floats:
    logits: Floats = (np.log(probabilities) + 3).astype(np.float32)
    return logits
