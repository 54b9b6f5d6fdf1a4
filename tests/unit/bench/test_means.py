"""Means over drawn sets, their standard errors, and paired differences are computed as they are defined."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.honesty import draws as honesty
from bench.honesty.trial import Trial
from bench.means import Mean, mean_difference, mean_of
from bench.train.photos import Photo, PhotoSet
from bench.train.report import drawn_table
from bench.train.results import SetResults, draws_of
from bench.train.sides import PLAIN, Result


def test_the_standard_error_is_the_deviation_over_the_root_of_the_count() -> None:
    found = mean_of([1, None, 2, 3, 6])
    assert found
    assert (found.mean, found.count) == (3, 4)
    assert found.deviation == pytest.approx((14 / 3) ** 0.5)
    assert found.error == pytest.approx((14 / 3) ** 0.5 / 2)
    assert found.text(scale=10) == "30.0 ± 10.8"


def test_one_value_has_no_error_and_none_no_mean() -> None:
    assert mean_of([0.5]) == Mean(0.5, None, None, 1)
    assert Mean(0.5, None, None, 1).text() == "0.5"
    assert mean_of([None]) is None


def test_differences_are_of_pairs_that_are_complete() -> None:
    found = mean_difference([3, 5, None, 9], [1, 2, 3, None])
    assert found
    assert (found.mean, found.count) == (2.5, 2)
    assert found.error == pytest.approx(0.5)
    with pytest.raises(ValueError, match="zip"):
        mean_difference([1], [1, 2])


def results(seed: int | None, ours: float, plain: float) -> SetResults:
    def run(top1: float) -> Result:
        return Result(seconds=2, peak_memory=3, measured={"top1": top1, "photos": 10})

    photos = PhotoSet("small", (Photo("A", "A", Path("train/A/1.jpg")),), Path("dev"), seed)
    return SetResults(photos, {"quick, cold": [run(ours), run(ours)], PLAIN: [run(plain)]})


def test_sides_are_compared_with_the_plain_recipe_on_the_same_drawn_set() -> None:
    every = [results(None, 0.1, 0.9), results(0, 0.5, 0.4), results(1, 0.9, 0.6)]
    [draws] = draws_of(every)
    top1, above = draws.means("quick, cold")["top1"], draws.above_plain("quick, cold")["top1"]
    assert top1 and above
    assert (top1.mean, top1.error) == pytest.approx((0.7, 0.2))
    assert (above.mean, above.error) == pytest.approx((0.2, 0.1))
    assert draws.means(PLAIN)["top3"] is None
    table = drawn_table(draws, "mobilenet_v2")
    assert list(table.columns[3].cells) == ["70.0 ± 20.0", "50.0 ± 10.0"]
    assert "mobilenet_v2" in str(table.title)


def trial(seed: int | None, said: float, found: float, passed: Mapping[str, Any] | None = None) -> Trial:
    promises = {name: {"true_positive_rate": 0.5, "false_positive_rate": 0.1} for name in passed or {}}
    return Trial(
        set="small",
        seed=seed,
        split="dev",
        backbone="mobilenet_v2",
        profile="quick",
        products=10,
        photos=75,
        reported={"top1": said, "calibration_error": 0.1, "near_auroc": None, "passed": promises},
        measured={"top1": found, "calibration_error": 0.3, "near_auroc": 0.8, "photos": 40}
        | {"passed": passed or {}},
    )


def test_said_and_found_are_compared_on_the_same_drawn_set() -> None:
    passed = {"accept": {"true_positive_rate": 0.3, "near": 0.2}}
    trials = [trial(None, 0, 1), trial(0, 0.9, 0.7, passed), trial(1, 0.8, 0.8), trial(2, 0.7, 0.9)]
    [draws] = honesty.draws_of(trials)
    metrics = draws.compared()
    top1 = metrics["top1"].difference
    assert top1
    assert (top1.mean, top1.deviation) == pytest.approx((0, 0.2))
    assert metrics["near_auroc"].said is None
    for rate, points in (("true", 0.2), ("false", -0.1)):
        difference = metrics[f"accept_{rate}_positive_rate"].difference
        assert difference
        assert difference.mean == pytest.approx(points)
        assert difference.count == 1
    assert metrics["suggest_true_positive_rate"].found is None
    assert next(iter(honesty.table(draws).columns[0].cells)) == "top-1"
