"""Metrics of a model's predictions for withheld photos. All functions here are pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from worker.arrays import Floats, Mask

BINS = 10


@dataclass(frozen=True)
class Answers:
    """For n photos of a model's products: whether top-1 is `correct`, its probability and the score, each `[n]`.

    `near` are the scores of photos of other products, `far` those of scenes without a product.
    """

    correct: Mask
    confidence: Floats
    scores: Floats
    near: Floats
    far: Floats


@dataclass(frozen=True)
class Passed:
    """For the threshold `score`: the true positive rate, the accuracy of accepted photos, and the false positive rates
    on near and far photos. `None` where there are no photos."""

    score: float
    true_positive_rate: float | None
    accuracy: float | None
    near: float | None
    far: float | None


@dataclass(frozen=True)
class Measured:
    """The measured metrics; `confidence` is the mean top-1 probability. `None` as in Passed."""

    photos: int
    near_photos: int
    far_photos: int
    top1: float | None
    confidence: float | None
    calibration_error: float | None
    near_auroc: float | None
    far_auroc: float | None
    passed: Mapping[str, Passed]


def measure(answers: Answers, thresholds: Mapping[str, float]) -> Measured:
    """All metrics of a model, and those of its `thresholds`, by name."""
    return Measured(
        photos=len(answers.correct),
        near_photos=len(answers.near),
        far_photos=len(answers.far),
        top1=_mean(answers.correct),
        confidence=_mean(answers.confidence),
        calibration_error=calibration_error(answers.confidence, answers.correct),
        near_auroc=auroc(answers.scores, answers.near),
        far_auroc=auroc(answers.scores, answers.far),
        passed={name: passed(answers, score) for name, score in thresholds.items()},
    )


def calibration_error(confidence: Floats, correct: Mask) -> float | None:
    """Expected calibration error over BINS bins of equal width (Guo et al., ICML 2017): the mean absolute difference
    of a bin's confidence and accuracy, weighted by its photos. `None` without photos."""
    if not len(correct):
        return None
    bin_of = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = np.bincount(bin_of, weights=confidence - correct, minlength=BINS)
    return _rounded(np.abs(gaps).sum() / len(correct))


def auroc(known: Floats, others: Floats) -> float | None:
    """Probability that a known photo has a higher score than another one; a tie counts half. `None` without pairs."""
    if not len(known) or not len(others):
        return None
    difference = known[:, None] - others[None, :]
    return _rounded((difference > 0).mean() + (difference == 0).mean() / 2)


def passed(answers: Answers, score: float) -> Passed:
    """The metrics of the threshold `score`."""
    through = answers.scores >= score
    return Passed(
        score=score,
        true_positive_rate=_mean(through),
        accuracy=_mean(answers.correct[through]),
        near=_mean(answers.near >= score),
        far=_mean(answers.far >= score),
    )


def _mean(values: Floats | Mask) -> float | None:
    return _rounded(values.mean()) if len(values) else None


def _rounded(value: np.floating) -> float:
    return round(float(value), 4)
