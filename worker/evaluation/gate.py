"""The gate: whether a new model may take the active one's place. All functions here are pure."""

from typing import Final

import numpy as np

from worker.arrays import Labels
from worker.job.options import Promote
from worker.job.promotion import Comparison, Promotion

SIGNIFICANCE: Final = 0.05
"""A difference with a p-value below this is not put down to chance."""

NAMED: Final = 5
"""Most products that a reason names."""


def compare(labels: Labels, new: Labels, active: Labels, groups: Labels) -> Comparison:
    """Compare the first guesses of two models on the same n photos; all arguments are `[n]`.

    `labels`, `new` and `active` use one numbering of the products; a guess of -1 is none. Photos of a group were
    taken together and count for one model or the other together.
    """
    correct = [predictions == labels for predictions in (new, active)]
    _, group = np.unique(groups, return_inverse=True)
    gains = np.bincount(group, weights=correct[0]) - np.bincount(group, weights=correct[1])
    accuracies = [float(hits.mean()) if len(hits) else 0.0 for hits in correct]
    return Comparison(
        photos=len(labels),
        products=len(np.unique(labels)),
        new_accuracy=accuracies[0],
        active_accuracy=accuracies[1],
        p_value=_p_value(gains.astype(np.int64)),
    )


def _p_value(gains: Labels) -> float:
    """One-sided p-value of a paired sign-flip test over groups, `gains` int64 `[groups]`; 1.0 where no group differs.

    Exact over all signs (Edgington and Onghena, Randomization Tests, 2007): the distribution of a sum of integers is
    built one group at a time (Pagano and Tritchler, JASA 1983). With groups of one photo it is McNemar's exact test.
    """
    # A sum of signed sizes is no higher exactly where the sizes with a plus sign sum to no more than the gains.
    probabilities = np.ones(1)
    for size in np.abs(gains[gains != 0]).tolist():
        gap = np.zeros(size)
        probabilities = (np.concatenate([probabilities, gap]) + np.concatenate([gap, probabilities])) / 2
    return min(1.0, float(probabilities[: gains[gains > 0].sum() + 1].sum()))


def decide(
    comparison: Comparison | None,
    *,
    promote: Promote,
    tolerance: float,
    active_version: str | None,
    incomparable: str = "",
    lost: tuple[str, ...] = (),
) -> Promotion:
    """Decide whether the new model becomes the active one, and say why.

    With `Promote.AUTO` it does not where it is worse by more than `tolerance`, a share of the photos, and
    significantly so, nor where products are `lost`: their SKUs, of which the active model knows each and no photo could
    be read. `incomparable` is a sentence that says why there is no comparison with the active model.
    """
    worse = False
    if active_version is None:
        comparison, finding = None, "There was no active model."
    elif comparison is None or not comparison.photos:
        comparison, finding = None, incomparable or "There was no photo that neither model had trained on."
    else:
        beyond = round(comparison.active_accuracy - comparison.new_accuracy, 9) > tolerance
        worse = beyond and comparison.p_value < SIGNIFICANCE
        finding = _finding(comparison, active_version, f"{100 * tolerance:g}", beyond, worse)
    activate = {Promote.AUTO: not worse and not lost, Promote.ALWAYS: True, Promote.NEVER: False}[promote]
    outcome = "activated" if activate else "published and not activated"
    asked = "" if promote is Promote.AUTO else f", as the option promote is {promote}"
    reason = f"{finding}{_without(lost)} The new model was {outcome}{asked}."
    return Promotion(activate, reason, active_version, comparison, lost)


def _without(lost: tuple[str, ...]) -> str:
    if not lost:
        return ""
    more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
    return f" No photo of {', '.join(lost[:NAMED])}{more}, which the active model knows, can be read."


def _finding(comparison: Comparison, active_version: str, tolerance: str, beyond: bool, worse: bool) -> str:
    loss = 100 * (comparison.active_accuracy - comparison.new_accuracy)
    if loss <= 0:
        outcome = f"better by {-loss:.1f} points" if loss else "equally good"
    elif not beyond:
        outcome = f"worse by {loss:.1f} points, which PROMOTE_TOLERANCE allows ({tolerance})"
    elif worse:
        outcome = (
            f"worse by {loss:.1f} points, more than PROMOTE_TOLERANCE allows ({tolerance}) and more than "
            "chance explains"
        )
    else:
        outcome = f"worse by {loss:.1f} points, which may be chance"
    return (
        f"On {_count(comparison.photos, 'photo')} of {_count(comparison.products, 'product')} that neither had "
        f"trained on, the new model is right on {comparison.new_accuracy:.1%}, the active model {active_version} on "
        f"{comparison.active_accuracy:.1%}: {outcome}."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
