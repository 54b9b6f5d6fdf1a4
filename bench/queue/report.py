"""The measured values, as tables for people and as JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

# Columns, where the output is not a terminal.
WIDTH = 150


@dataclass(frozen=True)
class Result:
    """One line of a table: repeated measurements of the same quantity."""

    side: str
    setup: str
    what: str
    values: Sequence[float]
    note: str = ""

    @property
    def spread(self) -> dict[str, float]:
        """Median, percentiles, minimum and maximum; empty where nothing was measured."""
        if not self.values:
            return {}
        p50, p95, p99 = (float(value) for value in np.percentile(self.values, (50, 95, 99)))
        return {"median": p50, "p95": p95, "p99": p99, "min": min(self.values), "max": max(self.values)}


@dataclass(frozen=True)
class Measure:
    """One table; `compared` defines the numbers exactly, `marks` are the keys of `spread` to show."""

    name: str
    unit: str
    compared: str
    marks: Sequence[str]
    results: Sequence[Result]

    def table(self) -> Table:
        table = Table(title=f"{self.name}, {self.unit}", title_justify="left")
        table.add_column("")
        table.add_column("measured")
        for heading in ("n", *self.marks):
            table.add_column(heading, justify="right")
        if any(result.note for result in self.results):
            table.add_column("note")
        last = ""
        for result in self.results:
            if last not in ("", result.what):
                table.add_section()
            last = result.what
            numbers = [f"{result.spread[mark]:.2f}" if result.values else "-" for mark in self.marks]
            texts = [f"{result.side}, {result.setup}", result.what, str(len(result.values)), *numbers]
            table.add_row(*texts, result.note) if result.note else table.add_row(*texts)
        return table


def show(measures: Sequence[Measure], conditions: dict[str, str], console: Console) -> None:
    """Print one table for each measure."""
    for measure in measures:
        console.print()
        console.print(measure.table())
        console.print(measure.compared)
    console.print()
    console.print(", ".join(f"{name} {value}" for name, value in conditions.items()) + ".")


def write(measures: Sequence[Measure], conditions: dict[str, str], output: Path) -> None:
    """Write all results as JSON, with every single value."""
    described = [
        {
            "name": measure.name,
            "unit": measure.unit,
            "compared": measure.compared,
            "results": [
                asdict(result) | {"repetitions": len(result.values), **result.spread}
                for result in measure.results
            ],
        }
        for measure in measures
    ]
    output.write_text(
        json.dumps({"conditions": conditions, "measures": described}, indent=2, ensure_ascii=False) + "\n"
    )
