"""Reported and measured metrics of models, as tables for people and as JSON for programs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table

from bench.train.report import write_json

LEGEND = """\
says: reported by the worker, on photos of the catalogue. found: measured with the published files on val.
near: photos in val of products that the model does not know; far: drawn scenes without a product.
AUROC: probability that a photo of a known product has the higher score. A threshold accepts scores from it on.
The jobs name no negatives, so that the reported false positive rate is for near photos."""

Row = tuple[str, str, str, str]


@dataclass(frozen=True)
class Trial:
    """One model: trained on `photos` of the set's `products`; what it `reported`, and what was `measured`."""

    set: str
    profile: str
    products: int
    photos: int
    reported: Mapping[str, Any]
    measured: Mapping[str, Any]

    @property
    def top1_difference(self) -> float | None:
        """Measured minus reported top-1, in percentage points."""
        return _points(self.reported["top1"], self.measured["top1"])

    @property
    def top1_within(self) -> bool | None:
        """Whether the measured top-1 is within the reported interval."""
        low, found, high = self.reported["top1_low"], self.measured["top1"], self.reported["top1_high"]
        return None if None in (low, found) else bool(low <= found <= high)


def table(trial: Trial) -> Group:
    """A table with each reported metric beside the measured one."""
    found = trial.measured
    counts = f"{trial.products} products, {trial.photos} photos"
    val = f"{found['photos']} photos of val, {found['near_photos']} near, {found['far_photos']} far"
    shown = Table()
    for heading in ("", "says", "found", "points"):
        shown.add_column(heading, justify="right" if heading else "left")
    for row in _claims(trial.reported, found):
        shown.add_row(*row)
    for name, promise in trial.reported["passed"].items():
        shown.add_section()
        for row in _threshold(name, promise, found["passed"][name]):
            shown.add_row(*row)
    # A title would be wrapped to the table's width.
    return Group(f"{trial.set}, {trial.profile}: {counts}; tried on {val}", shown)


def write(trials: Sequence[Trial], conditions: Mapping[str, object], output: Path) -> None:
    """Write all values as JSON."""
    models = [
        asdict(trial) | {"top1_difference": trial.top1_difference, "top1_within": trial.top1_within}
        for trial in trials
    ]
    write_json({"conditions": conditions, "models": models}, output)


def _claims(says: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[Row]:
    yield "top-1", _percent(says["top1"]), _percent(found["top1"]), _difference(says["top1"], found["top1"])
    low, high = says["top1_low"], says["top1_high"]
    yield "its 95% interval", "" if low is None else f"{low:.1%} to {high:.1%}", "", ""
    yield "mean confidence", "", _percent(found["confidence"]), ""
    error = "calibration_error"
    yield (
        "calibration error",
        _percent(says[error]),
        _percent(found[error]),
        _difference(says[error], found[error]),
    )
    for side in ("near", "far"):
        one, other = says[f"{side}_auroc"], found[f"{side}_auroc"]
        yield f"{side} AUROC", _share(one), _share(other), _difference(one, other)


def _threshold(name: str, says: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[Row]:
    yield f"{name}: score", f"{says['score']:.2f}", "", ""
    for key, words in (("true_positive_rate", "true positive rate"), ("accuracy", "accuracy of those")):
        yield words, _percent(says[key]), _percent(found[key]), _difference(says[key], found[key])
    yield (
        "false positive rate, near",
        _percent(says["false_positive_rate"]),
        _percent(found["near"]),
        _difference(says["false_positive_rate"], found["near"]),
    )
    yield "false positive rate, far", "", _percent(found["far"]), ""


def _points(says: float | None, found: float | None) -> float | None:
    return None if says is None or found is None else round(100 * (found - says), 2)


def _difference(says: float | None, found: float | None) -> str:
    points = _points(says, found)
    return "" if points is None else f"{points:+.1f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
