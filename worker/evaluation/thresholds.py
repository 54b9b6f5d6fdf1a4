"""Thresholds on the score, by which a client rejects photos of anything that is not a known product."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import mannwhitneyu

from worker.arrays import Floats

SUGGEST_TRUE_POSITIVE_RATE: Final = 0.95
"""`suggest` lets this share of the known products' photos through."""

ACCEPT_FALSE_POSITIVE_RATE: Final = 0.1
"""`accept` lets at most this share of other photos through."""

ACCEPT_TRUE_POSITIVE_RATE: Final = 0.8
"""`accept` lets this share of the known products' photos through where there are no other photos to learn from."""

STEPS: Final = 50


@dataclass(frozen=True)
class Threshold:
    """What a threshold on the score costs. `true_positive_rate` is the share of the known products' photos at or
    above it, `accuracy` the share of those whose first guess is right, and `false_positive_rate` the share of other
    photos at or above it, `None` where there were none."""

    score: float
    true_positive_rate: float
    accuracy: float
    false_positive_rate: float | None


@dataclass(frozen=True)
class Separation:
    """How well the score separates known products from `photos` other ones: area under the ROC curve, 0.5 by
    chance, 1 perfect."""

    auroc: float
    photos: int


@dataclass(frozen=True)
class Rejection:
    """The two thresholds: from `accept` on a client may act, from `suggest` on it may offer its guesses.

    `near`: against products left out of training. `far`: against things that are no products, or `None` where there
    are no photos of such. `curve` has a threshold at every step of the score, for the report.
    """

    accept: Threshold
    suggest: Threshold
    near: Separation | None
    far: Separation | None
    curve: tuple[Threshold, ...]


def choose_thresholds(known: Floats, correct: Floats, near: Floats, far: Floats) -> Rejection | None:
    """Choose thresholds by scores of photos that did not train the model; `None` where there are none in `known`.

    `known` float32 `[n]` are scores of photos of known products, `correct` `[n]` how likely the
    first guess is right.
    `near` are scores of products that were left out, `far` of things that are no products; both may be empty.
    `accept` is never the lower threshold.
    """
    if not len(known):
        return None

    def at(value: float) -> Threshold:
        # Rounded down, so that whoever was at it still is.
        score = np.floor(value * 1e4) / 1e4
        passed = known >= score
        rates = [float((other >= score).mean()) for other in (near, far) if len(other)]
        return Threshold(
            score=float(score),
            true_positive_rate=_rounded(passed.mean()),
            accuracy=_rounded(correct[passed].mean()) if passed.any() else 1.0,
            # Near and far count the same, however many photos there are of each.
            false_positive_rate=_rounded(np.mean(rates)) if rates else None,
        )

    curve = tuple(at(score) for score in np.unique(np.quantile(known, np.linspace(0, 1, STEPS + 1))))
    suggest = float(np.quantile(known, 1 - SUGGEST_TRUE_POSITIVE_RATE))
    strict = [
        point.score
        for point in curve
        if point.false_positive_rate is not None and point.false_positive_rate <= ACCEPT_FALSE_POSITIVE_RATE
    ]
    if curve[0].false_positive_rate is None:
        accept = float(np.quantile(known, 1 - ACCEPT_TRUE_POSITIVE_RATE))
    else:
        accept = strict[0] if strict else float(known.max())
    return Rejection(
        accept=at(max(accept, suggest)),
        suggest=at(suggest),
        near=_separation(known, near),
        far=_separation(known, far),
        curve=curve,
    )


def auroc(known: Floats, others: Floats) -> float:
    """Probability that a known product's photo has a higher score than another photo (Hanley and McNeil, Radiology
    1982)."""
    return float(mannwhitneyu(known, others).statistic) / (len(known) * len(others))


def _separation(known: Floats, others: Floats) -> Separation | None:
    return Separation(_rounded(auroc(known, others)), len(others)) if len(others) else None


def _rounded(share: float | np.floating) -> float:
    return round(float(share), 4)
