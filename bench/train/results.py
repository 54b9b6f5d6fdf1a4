"""The measured values of each set, and their means over drawn sets; both as JSON for programs."""

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.means import Mean, mean_difference, mean_of
from bench.train.photos import PhotoSet
from bench.train.sides import PLAIN, Result

VALUES: Mapping[str, Callable[[Result], float | None]] = {
    "seconds": lambda run: run.seconds,
    "peak_memory": lambda run: run.peak_memory,
    "top1": lambda run: run.measured.get("top1"),
    "top3": lambda run: run.measured.get("top3"),
    "reported": lambda run: run.reported.get("top1"),
}


@dataclass(frozen=True)
class SetResults:
    """Every run on a set, by side."""

    photos: PhotoSet
    runs: Mapping[str, Sequence[Result]]

    def medians(self, side: str) -> dict[str, float | None]:
        """Medians over the rounds; None where the side has no such value, or was not run."""
        return {name: _median(map(value, self.runs.get(side, ()))) for name, value in VALUES.items()}

    @property
    def withheld_photos(self) -> int:
        """Number of photos that the models were measured on."""
        return max(int(run.measured.get("photos", 0)) for runs in self.runs.values() for run in runs)

    def stages(self, side: str) -> dict[str, float]:
        """Median seconds of each stage, and of the time before, between and after the stages."""
        runs = [run for run in self.runs[side] if run.stages]
        if not runs:
            return {}
        stages = {name: statistics.median(run.stages[name] for run in runs) for name in runs[0].stages}
        rest = statistics.median(run.seconds - sum(run.stages.values()) for run in runs)
        return stages | {"claim, start and end": rest}


@dataclass(frozen=True)
class Draws:
    """Results on the sets that were drawn with the size of one named set."""

    every: Sequence[SetResults]

    @property
    def name(self) -> str:
        return self.every[0].photos.name

    @property
    def sides(self) -> list[str]:
        return list(self.every[0].runs)

    def means(self, side: str) -> dict[str, Mean | None]:
        """Means over the sets of their medians."""
        return {name: mean_of(self._medians(side, name)) for name in VALUES}

    def above_plain(self, side: str) -> dict[str, Mean | None]:
        """Means of the differences to the plain recipe on the same set."""
        return {
            name: mean_difference(self._medians(side, name), self._medians(PLAIN, name)) for name in VALUES
        }

    def _medians(self, side: str, name: str) -> list[float | None]:
        return [results.medians(side)[name] for results in self.every]


def draws_of(every: Sequence[SetResults]) -> list[Draws]:
    """The drawn sets among `every`, by size."""
    drawn = [results for results in every if results.photos.seed is not None]
    names = dict.fromkeys(results.photos.name for results in drawn)
    return [Draws([results for results in drawn if results.photos.name == name]) for name in names]


def write(every: Sequence[SetResults], conditions: Mapping[str, object], output: Path) -> None:
    """Write all values as JSON, with every single run."""
    sets = [
        {
            "set": results.photos.name,
            "seed": results.photos.seed,
            "products": results.photos.products,
            "photos": len(results.photos.photos),
            "sides": {
                side: {
                    "median": results.medians(side) | {"stages": results.stages(side)},
                    "runs": [asdict(run) for run in runs],
                }
                for side, runs in results.runs.items()
            },
        }
        for results in every
    ]
    drawn = [
        {
            "set": draws.name,
            "draws": len(draws.every),
            "sides": {
                side: {
                    "mean": means_as_json(draws.means(side)),
                    "above_plain": means_as_json(draws.above_plain(side)),
                }
                for side in draws.sides
            },
        }
        for draws in draws_of(every)
    ]
    write_json({"conditions": conditions, "sets": sets, "drawn": drawn}, output)


def means_as_json(means: Mapping[str, Mean | None]) -> dict[str, Any]:
    return {name: None if mean is None else asdict(mean) for name, mean in means.items()}


def write_json(value: object, output: Path) -> None:
    output.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _median(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
