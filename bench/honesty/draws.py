"""Means over drawn sets of what models say of themselves, and of what is found."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table

from bench.honesty.claims import THRESHOLDS
from bench.honesty.trial import Trial
from bench.means import Mean, Value, mean_difference, mean_of

RATES = (("true_positive_rate", "true_positive_rate"), ("false_positive_rate", "near"))
"""How a rate of a threshold is called where it is reported, and where it is measured."""


@dataclass(frozen=True)
class Compared:
    """A metric's means over models, and that of the differences, said minus found."""

    said: Mean | None
    found: Mean | None
    difference: Mean | None


@dataclass(frozen=True)
class Draws:
    """The models of one profile on the sets that were drawn with the size of one named set."""

    trials: Sequence[Trial]

    def compared(self) -> dict[str, Compared]:
        """Each metric that is both reported and measured."""
        pairs = [dict(_pairs(trial)) for trial in self.trials]
        return {name: _compared([pair[name] for pair in pairs]) for name in pairs[0]}


def draws_of(trials: Sequence[Trial]) -> list[Draws]:
    """The models of drawn sets among `trials`, by size and profile."""
    drawn = [trial for trial in trials if trial.seed is not None]
    kinds = dict.fromkeys((trial.set, trial.profile) for trial in drawn)
    return [Draws([trial for trial in drawn if (trial.set, trial.profile) == kind]) for kind in kinds]


def table(draws: Draws) -> Table:
    """A table of the means."""
    first, photos = draws.trials[0], [trial.measured["photos"] for trial in draws.trials]
    title = (
        f"{first.set}, {first.profile}, {first.backbone}: means of {len(draws.trials)} drawn sets of {first.products} "
        f"products, {first.photos} photos, with standard errors; tried on {min(photos)} to {max(photos)} photos of "
        f"{first.split}"
    )
    shown = Table(title=title, title_justify="left")
    for heading in ("%", "says", "found", "says - found", "its standard deviation"):
        shown.add_column(heading, justify="left" if heading == "%" else "right")
    for name, metric in draws.compared().items():
        means = (metric.said, metric.found, metric.difference)
        deviation = metric.difference.deviation if metric.difference else None
        shown.add_row(
            name.replace("_", " ").replace("top1", "top-1").replace("auroc", "AUROC"),
            *("" if mean is None else mean.text(100) for mean in means),
            "" if deviation is None else f"{100 * deviation:.1f}",
        )
    return shown


def _pairs(trial: Trial) -> Iterator[tuple[str, tuple[Value, Value]]]:
    """What was said and what was found, by metric."""
    says, found = trial.reported, trial.measured
    for name in ("top1", "calibration_error", "near_auroc"):
        yield name, (says[name], found[name])
    for threshold in THRESHOLDS:
        promised, passed = says["passed"].get(threshold, {}), found["passed"].get(threshold, {})
        for said, measured in RATES:
            yield f"{threshold}_{said}", (promised.get(said), passed.get(measured))


def _compared(pairs: Sequence[tuple[Value, Value]]) -> Compared:
    said, found = zip(*pairs, strict=True)
    return Compared(mean_of(said), mean_of(found), mean_difference(said, found))
