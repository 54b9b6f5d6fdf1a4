"""The measured values, as tables for people and as JSON for programs."""

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.table import Table

from bench.train.photos import PhotoSet
from bench.train.sides import FLOOR, NEAREST, PLAIN, Result

# Columns, where the output is not a terminal.
WIDTH = 100


@dataclass(frozen=True)
class SetResults:
    """Every run on a set, by side."""

    photos: PhotoSet
    runs: Mapping[str, Sequence[Result]]

    def medians(self, side: str) -> dict[str, float | None]:
        """Medians over the rounds; None where the side has no such value, or was not run."""
        values: dict[str, Callable[[Result], float | None]] = {
            "seconds": lambda run: run.seconds,
            "peak_memory": lambda run: run.peak_memory,
            "top1": lambda run: run.measured.get("top1"),
            "top3": lambda run: run.measured.get("top3"),
            "reported": lambda run: run.reported.get("top1"),
        }
        return {name: _median(map(value, self.runs.get(side, ()))) for name, value in values.items()}

    @property
    def val_photos(self) -> int:
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


def tables(results: SetResults) -> Group:
    """One table of the sides and one of the stages."""
    return Group(_sides(results), "", _stages(results))


def write(every: Sequence[SetResults], conditions: Mapping[str, object], output: Path) -> None:
    """Write all values as JSON, with every single run."""
    sets = [
        {
            "set": results.photos.name,
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
    write_json({"conditions": conditions, "sets": sets}, output)


def write_json(value: object, output: Path) -> None:
    output.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def show(renderable: object, console: Console) -> None:
    console.print()
    console.print(renderable)


def _sides(results: SetResults) -> Table:
    photos, plain = results.photos, results.medians(PLAIN)
    rounds = max(len(runs) for runs in results.runs.values())
    repeats = "1 round" if rounds == 1 else f"medians of {rounds} rounds"
    counts = f"{photos.products} products, {len(photos.photos)} photos"
    title = f"{photos.name}: {counts}, {repeats}; top-1 and top-3 on {results.val_photos} photos of val"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for heading in ("seconds", "times faster", "memory", "top-1", "points above", "top-3", "reported"):
        table.add_column(heading, justify="right")
    for side in results.runs:
        if side in (PLAIN, FLOOR):
            table.add_section()
        ours = results.medians(side)
        is_job = side not in (NEAREST, FLOOR)
        table.add_row(
            side,
            _text(ours["seconds"], "{:.1f}"),
            _text(_ratio(plain["seconds"], ours["seconds"]) if is_job else None, "{:.1f}"),
            _text(_ratio(ours["peak_memory"], 1e9), "{:.2f} GB"),
            _text(ours["top1"], "{:.1%}"),
            _text(_points(ours["top1"], plain["top1"]), "{:+.1f}"),
            _text(ours["top3"], "{:.1%}"),
            _text(ours["reported"], "{:.1%}"),
        )
    return table


def _stages(results: SetResults) -> Table | str:
    sides = {side: stages for side in results.runs if (stages := results.stages(side))}
    if not sides:
        return ""
    table = Table(title=f"{results.photos.name}: seconds by stage", title_justify="left")
    table.add_column("")
    for side in sides:
        table.add_column(side, justify="right")
    names = dict.fromkeys(name for stages in sides.values() for name in stages)
    for name in names:
        table.add_row(name, *(_text(stages.get(name), "{:.2f}") for stages in sides.values()))
    return table


def _median(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


def _points(share: float | None, other: float | None) -> float | None:
    return None if share is None or other is None else 100 * (share - other)


def _text(value: float | None, pattern: str) -> str:
    return "" if value is None else pattern.format(value)
