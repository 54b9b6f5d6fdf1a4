"""The output of `worker models`: one line for each model, or all about one model."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from worker.registry.activations import Activation
from worker.registry.models import Registered, accuracy_of
from worker.texts import printable, printable_json

HEADINGS = ("version", "active", "trained (UTC)", "top-1", "photos", "products", "path")


def as_json(value: object) -> str:
    """JSON for programs."""
    return printable_json(json.dumps(value, ensure_ascii=False, indent=2), keep="\n")


def described(model: Registered) -> dict[str, object]:
    """A model's row, with "AccuracyMetrics" as an object where it is JSON."""
    fields = asdict(model)
    text = fields.pop("accuracy_metrics")
    return fields | {"accuracy": accuracy_of(text) or text}


def table(models: Sequence[Registered]) -> str:
    """A line of headings, then one line for each model."""
    return _aligned([HEADINGS, *map(_cells, models)]) if models else "There are no models yet."


def story(model: Registered, files: str, history: Sequence[Activation]) -> str:
    """All about a model: its row, the state of its files, and when it was activated or replaced."""
    fields = described(model) | {"trained_at": _minute(model.trained_at), "files": files}
    lines = [
        (f"{name}:", value if isinstance(value, str) else as_json(value)) for name, value in fields.items()
    ]
    changes = [(_minute(each.activated_at), _change(each, model.version)) for each in history]
    return "\n\n".join(filter(None, (_aligned(lines), _aligned(changes))))


def now_active(version: str, previous: str | None) -> str:
    """The message after a model was activated."""
    if version == previous:
        return f"{version} was active already."
    return f"{version} is active now; before, {previous or 'no model'} was."


def _change(activation: Activation, version: str) -> str:
    if activation.version == version:
        what = f"activated instead of {activation.previous_version or 'no model'}"
    else:
        what = f"replaced by {activation.version or 'no model'}"
    return f"{what} by {activation.activated_by}: {activation.reason}"


def _cells(model: Registered) -> tuple[str, ...]:
    top1 = (accuracy_of(model.accuracy_metrics) or {}).get("top1")
    return (
        model.version,
        "yes" if model.is_active else "",
        _minute(model.trained_at),
        f"{top1:.1%}" if isinstance(top1, int | float) else "",
        str(model.photos),
        str(model.products),
        model.model_path,
    )


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    """Columns as wide as their widest cell, two spaces apart."""
    rows = [tuple(printable(cell, keep="\n") for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = (zip(row, widths, strict=True) for row in rows)
    return "\n".join("  ".join(cell.ljust(width) for cell, width in row).rstrip() for row in padded)


def _minute(when: str) -> str:
    return when[: len("2026-11-22T16:36")].replace("T", " ")
