"""Whether a new model may take the active one's place. All functions here are pure."""

import numpy as np
import numpy.typing as npt

from worker.job.options import Promote
from worker.job.promotion import Comparison, Promotion

Labels = npt.NDArray[np.int64]

# A difference that is less likely than this is not put down to chance.
LEAST_CHANCE = 0.05


def compare(labels: Labels, new: Labels, active: Labels, groups: Labels) -> Comparison:
    """Compare first guesses of two models on the same n photos; all arguments are `[n]`.

    `labels`, `new` and `active` number the products alike, a guess of -1 is none. Photos of a group were taken
    together and count for one model or the other together.
    """
    right = [guesses == labels for guesses in (new, active)]
    _, place = np.unique(groups, return_inverse=True)
    gains = np.bincount(place, weights=right[0]) - np.bincount(place, weights=right[1])
    shares = [float(hits.mean()) if len(hits) else 0.0 for hits in right]
    return Comparison(
        photos=len(labels),
        products=len(np.unique(labels)),
        new=shares[0],
        active=shares[1],
        chance=_chance(gains.astype(np.int64)),
    )


def _chance(gains: Labels) -> float:
    """How likely a sum no higher than that of `gains`, int64 `[groups]`, is with each sign a coin's toss.

    A paired randomization test (Edgington and Onghena, Randomization Tests, 2007), exact over all signs: the
    distribution of a sum of integers grows with one group after the other (Pagano and Tritchler, JASA 1983).
    With groups of one photo it is McNemar's exact test. 1.0 where no group differs.
    """
    # A sum of signed sizes is no higher just where the sizes with a plus sign sum to no more than the gains.
    likely = np.ones(1)
    for size in np.abs(gains[gains != 0]).tolist():
        apart = np.zeros(size)
        likely = (np.concatenate([likely, apart]) + np.concatenate([apart, likely])) / 2
    return min(1.0, float(likely[: gains[gains > 0].sum() + 1].sum()))


def decide(
    comparison: Comparison | None,
    *,
    promote: Promote,
    tolerance: float,
    active_version: str | None,
    incomparable: str = "",
) -> Promotion:
    """Decide whether the new model becomes the active one, and say why.

    With `Promote.AUTO` it does not where it is worse by more than `tolerance`, a share of the photos, and by
    more than chance explains. `incomparable`: a sentence that says why there is no comparison with the active
    model.
    """
    worse = False
    if active_version is None:
        comparison, finding = None, "There was no active model."
    elif comparison is None or not comparison.photos:
        comparison, finding = None, incomparable or "There was no photo that neither model had trained on."
    else:
        beyond = round(comparison.active - comparison.new, 9) > tolerance
        worse = beyond and comparison.chance < LEAST_CHANCE
        finding = _finding(comparison, active_version, f"{100 * tolerance:g}", beyond, worse)
    activate = {Promote.AUTO: not worse, Promote.ALWAYS: True, Promote.NEVER: False}[promote]
    outcome = "activated" if activate else "published and not activated"
    asked = "" if promote is Promote.AUTO else f", as the option promote is {promote}"
    reason = f"{finding} The new model was {outcome}{asked}."
    return Promotion(activate, reason, active_version, comparison)


def _finding(comparison: Comparison, active_version: str, tolerance: str, beyond: bool, worse: bool) -> str:
    loss = 100 * (comparison.active - comparison.new)
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
        f"trained on, the new model is right on {comparison.new:.1%}, the active model {active_version} on "
        f"{comparison.active:.1%}: {outcome}."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
