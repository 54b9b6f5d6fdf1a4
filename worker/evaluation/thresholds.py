"""Whether a photo shows one of our products at all: a score, and from which value on it is trusted."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import mannwhitneyu

Floats = npt.NDArray[np.float32]

OURS_SUGGESTED = 0.95
"""Of our own photos, the share that gets at least a suggestion."""

OTHERS_ACCEPTED = 0.1
"""Of photos of other things, the share that may be taken for one of ours."""

OURS_ACCEPTED = 0.8
"""Of our own photos, the share that is accepted where there are no others to learn from."""

STEPS = 50


@dataclass(frozen=True)
class Threshold:
    """What a threshold on the score costs. `ours`: share of our own photos at or above it; `right`: share of
    those whose first guess is right; `others`: share of photos of other things that get through, `None` where
    none could be tried."""

    score: float
    ours: float
    right: float
    others: float | None


@dataclass(frozen=True)
class Separation:
    """How well the score tells ours from others: area under the ROC curve, 0.5 by chance, 1 perfect."""

    auroc: float
    photos: int


@dataclass(frozen=True)
class Rejection:
    """The two thresholds: from `accept` on a client may act, from `suggest` on it may offer its guesses.

    `near`: others are products left out of training. `far`: things that are no products, or `None` where there
    are no photos of such. `curve` has a threshold at every step of the score, for the report.
    """

    accept: Threshold
    suggest: Threshold
    near: Separation | None
    far: Separation | None
    curve: tuple[Threshold, ...]


def learn_rejection(
    ours: Floats, right: npt.NDArray[np.bool_], near: Floats, far: Floats
) -> Rejection | None:
    """Choose thresholds by the scores of photos that did not train the model; `None` where there are none of
    ours.

    `ours` `[n]` with whether the first guess was `right`; `near` those of products that were left out, `far`
    those of things that are no products; both may be empty. `suggest` lets OURS_SUGGESTED of ours through;
    `accept` no more than OTHERS_ACCEPTED of the others, and is never the lower one.
    """
    if not len(ours):
        return None

    def at(value: float) -> Threshold:
        # Rounded down, so that whoever was at it still is.
        score = np.floor(value * 1e4) / 1e4
        passed = ours >= score
        rates = [float((other >= score).mean()) for other in (near, far) if len(other)]
        return Threshold(
            score=float(score),
            ours=_share(passed.mean()),
            right=_share(right[passed].mean()) if passed.any() else 1.0,
            # Near and far count the same, however many photos there are of each.
            others=_share(np.mean(rates)) if rates else None,
        )

    curve = tuple(at(score) for score in np.unique(np.quantile(ours, np.linspace(0, 1, STEPS + 1))))
    suggest = float(np.quantile(ours, 1 - OURS_SUGGESTED))
    strict = [point.score for point in curve if point.others is not None and point.others <= OTHERS_ACCEPTED]
    if curve[0].others is None:
        accept = float(np.quantile(ours, 1 - OURS_ACCEPTED))
    else:
        accept = strict[0] if strict else float(ours.max())
    return Rejection(
        at(max(accept, suggest)), at(suggest), _separation(ours, near), _separation(ours, far), curve
    )


def auroc(ours: Floats, others: Floats) -> float:
    """How often one of ours has a higher score than one of the others (Hanley and McNeil, Radiology 1982)."""
    return float(mannwhitneyu(ours, others).statistic) / (len(ours) * len(others))


def _separation(ours: Floats, others: Floats) -> Separation | None:
    return Separation(_share(auroc(ours, others)), len(others)) if len(others) else None


def _share(value: float | np.floating) -> float:
    return round(float(value), 4)
