"""Calibration: the temperature with which probabilities are as high as answers are often right."""

from typing import Final

import numpy as np
from scipy.optimize import minimize_scalar

from worker.training.out_of_fold import OutOfFold

TEMPERATURES: Final = (0.02, 1_000.0)

TEMPERATURE_SCALE: Final = 0.75
"""Times the temperature that fits out of fold, for a model that is trained on all photos: it is surer of its answers,
on photos of other days too, than those that lacked whole occasions. (Measured: docs/performance.md.)"""


def fit_inverse_temperature(answers: OutOfFold) -> float:
    """The inverse temperature of a model trained on all photos, by answers out of fold."""
    return 1 / (TEMPERATURE_SCALE * fit_temperature(answers))


def fit_temperature(answers: OutOfFold) -> float:
    """The divisor of the logits that minimises their log loss (Guo et al., ICML 2017)."""

    def loss(logarithm: float) -> float:
        return log_loss(answers.scaled(1 / np.exp(logarithm)))

    # There is one minimum: the loss is convex in the inverse.
    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 0.01})
    return float(np.exp(found.x))


def log_loss(answers: OutOfFold) -> float:
    """Mean negative log-likelihood of the labels, each of which is taken to be wrong once in n + 2 times.

    n examples allow that much confidence and no more (Platt, 1999); without it, a model that was never wrong would
    become certain of everything. A wrong prediction counts as right as often as `OutOfFold.expected` says.
    """
    logits, labels, trained = answers.logits, answers.labels, answers.error_shares
    shifted = logits - logits.max(axis=1, keepdims=True)
    likelihoods = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    doubt = 1 / (len(labels) + 2)
    of_labels = likelihoods[np.arange(len(labels)), labels]
    expected = trained * of_labels + (1 - trained) * likelihoods.max(axis=1)
    return float(-(1 - doubt) * expected.mean() - doubt * likelihoods.mean())
