"""Reported and measured metrics of models, as tables for people and as JSON for programs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table

from bench.honesty.draws import draws_of
from bench.honesty.trial import Trial, points
from bench.train.results import write_json

LEGEND = """\
says: reported by the worker, on photos of the catalogue. found: measured with the published files on withheld photos.
near: withheld photos of products that the model does not know; far: drawn scenes without a product.
AUROC: probability that a photo of a known product has the higher score. A threshold accepts scores from it on.
The jobs name no negatives, so that the reported false positive rate is for near photos."""

Row = tuple[str, str, str, str]


def table(trial: Trial) -> Group:
    """A table with each reported metric beside the measured one."""
    found = trial.measured
    counts = f"{trial.products} products, {trial.photos} photos"
    photos = (
        f"{found['photos']} photos of {trial.split}, {found['near_photos']} near, {found['far_photos']} far"
    )
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
    return Group(f"{trial.set}, {trial.profile}, {trial.backbone}: {counts}; tried on {photos}", shown)


def write(trials: Sequence[Trial], conditions: Mapping[str, object], output: Path) -> None:
    """Write all values as JSON."""
    models = [
        asdict(trial) | {"top1_difference": trial.top1_difference, "top1_within": trial.top1_within}
        for trial in trials
    ]
    drawn = [
        {
            "set": draws.trials[0].set,
            "profile": draws.trials[0].profile,
            "draws": len(draws.trials),
            "metrics": {name: asdict(metric) for name, metric in draws.compared().items()},
        }
        for draws in draws_of(trials)
    ]
    write_json({"conditions": conditions, "models": models, "drawn": drawn}, output)


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


def _difference(says: float | None, found: float | None) -> str:
    difference = points(says, found)
    return "" if difference is None else f"{difference:+.1f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
