"""Calibration: the temperature with which probabilities are as high as answers are often right."""

from typing import Final

import numpy as np
from scipy.optimize import minimize_scalar

from worker.arrays import Floats, Labels

TEMPERATURES: Final = (0.02, 1_000.0)

TEMPERATURE_SCALE: Final = 0.8
"""Times the temperature that fits out of fold, for a model that is trained on all photos: it is right more often, on
photos of other days too, than those that lacked whole occasions. (Measured: docs/performance.md.)"""


def fit_inverse_temperature(logits: Floats, labels: Labels) -> float:
    """The inverse temperature of a model trained on all photos, by `logits` out of fold `[n, products]`."""
    return 1 / (TEMPERATURE_SCALE * fit_temperature(logits, labels))


def fit_temperature(logits: Floats, labels: Labels) -> float:
    """The divisor of `logits` `[n, products]` that minimises their log loss (Guo et al., ICML 2017)."""

    def loss(logarithm: float) -> float:
        return log_loss(logits / np.float32(np.exp(logarithm)), labels)

    # There is one minimum: the loss is convex in the inverse.
    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 0.01})
    return float(np.exp(found.x))


def log_loss(logits: Floats, labels: Labels) -> float:
    """Mean negative log-likelihood of the labels, each of which is taken to be wrong once in n + 2 times.

    n examples allow that much confidence and no more (Platt, 1999); without it, a model that was never wrong would
    become certain of everything.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    likelihoods = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    doubt = 1 / (len(labels) + 2)
    of_labels = likelihoods[np.arange(len(labels)), labels].mean()
    return float(-(1 - doubt) * of_labels - doubt * likelihoods.mean())
