"""The measured values as tables for people."""

from rich.console import Console, Group
from rich.table import Table

from bench.means import Mean
from bench.train.photos import PhotoSet
from bench.train.results import Draws, SetResults
from bench.train.sides import FLOOR, NEAREST, PLAIN, PROBE

# Columns, where the output is not a terminal.
WIDTH = 100


def tables(results: SetResults, backbone: str) -> Group:
    """One table of the sides and one of the stages."""
    return Group(_sides(results, backbone), "", _stages(results, backbone))


def drawn_table(draws: Draws, backbone: str) -> Table:
    """A table of the means over drawn sets, with their standard errors."""
    photos, measured = draws.every[0].photos, [results.withheld_photos for results in draws.every]
    title = (
        f"{photos.name}, {backbone}: means of {len(draws.every)} drawn sets of {_counts(photos)}, with standard errors;"
        f" top-1 and top-3 on {min(measured)} to {max(measured)} photos of {photos.withheld.name}"
    )
    table = _table(title, "seconds", "memory, GB", "top-1, %", "points above", "top-3, %", "reported, %")
    for side in draws.sides:
        if side in (PLAIN, FLOOR):
            table.add_section()
        means, above = draws.means(side), None if side == PLAIN else draws.above_plain(side)["top1"]
        table.add_row(
            side,
            _mean(means["seconds"]),
            _mean(means["peak_memory"], 1e-9, 2),
            *(_mean(mean, 100) for mean in (means["top1"], above, means["top3"], means["reported"])),
        )
    return table


def show(renderable: object, console: Console) -> None:
    console.print()
    console.print(renderable)


def _sides(results: SetResults, backbone: str) -> Table:
    photos, plain = results.photos, results.medians(PLAIN)
    rounds = max(len(runs) for runs in results.runs.values())
    repeats = "1 round" if rounds == 1 else f"medians of {rounds} rounds"
    measured = f"top-1 and top-3 on {results.withheld_photos} photos of {photos.withheld.name}"
    table = _table(
        f"{photos.title}, {backbone}: {_counts(photos)}, {repeats}; {measured}",
        *("seconds", "times faster", "memory", "top-1", "points above", "top-3", "reported"),
    )
    for side in results.runs:
        if side in (PLAIN, FLOOR):
            table.add_section()
        ours = results.medians(side)
        is_job = side not in (NEAREST, PROBE, FLOOR)
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


def _stages(results: SetResults, backbone: str) -> Table | str:
    sides = {side: stages for side in results.runs if (stages := results.stages(side))}
    if not sides:
        return ""
    table = _table(f"{results.photos.title}, {backbone}: seconds by stage", *sides)
    names = dict.fromkeys(name for stages in sides.values() for name in stages)
    for name in names:
        table.add_row(name, *(_text(stages.get(name), "{:.2f}") for stages in sides.values()))
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _counts(photos: PhotoSet) -> str:
    return f"{photos.products} products, {len(photos.photos)} photos"


def _ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


def _points(share: float | None, other: float | None) -> float | None:
    return None if share is None or other is None else 100 * (share - other)


def _text(value: float | None, pattern: str) -> str:
    return "" if value is None else pattern.format(value)


def _mean(mean: Mean | None, scale: float = 1, places: int = 1) -> str:
    return "" if mean is None else mean.text(scale, places)
