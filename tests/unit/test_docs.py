"""The tables of the documentation are those of the code."""

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from worker.errors import CAUSES, ErrorCode
from worker.events import Event
from worker.photos.unreadable import SkipReason
from worker.settings import LogSettings, Settings

DOCS = Path(__file__).parents[2] / "docs"


def first_cells(text: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def test_every_event_is_listed_and_no_other() -> None:
    events, reasons = (DOCS / "logs.md").read_text().split("## Why a photo is skipped")
    assert sorted(first_cells(events)) == sorted(Event)
    assert sorted(first_cells(reasons)) == sorted(SkipReason)


def test_every_event_is_logged_somewhere() -> None:
    source = "".join(path.read_text() for path in (DOCS.parent / "worker").rglob("*.py"))
    for event in Event:
        assert f"Event.{event.name}" in source


def test_every_error_code_is_listed_with_its_remedy() -> None:
    text = (DOCS / "errors.md").read_text()
    assert first_cells(text) == list(ErrorCode)
    for code, cause in CAUSES.items():
        assert (
            f"| `{code}` | {'yes' if cause.may_pass else 'no'} | {cause.meaning} | {cause.remedy} |" in text
        )


@pytest.mark.parametrize("settings", [Settings, LogSettings])
def test_every_setting_is_listed_with_its_default(settings: type[BaseSettings]) -> None:
    text = (DOCS / "settings.md").read_text()
    for name, field in settings.model_fields.items():
        default = f"`{field.default}`" if field.default is not None else "unset"
        if field.is_required():
            default = "none: required"
        row = rf"\| `{name.upper()}` \| {re.escape(default)} \| .+ \| {re.escape(field.description or '')} \|"
        assert re.search(row, text), name


def test_no_setting_is_listed_that_is_not_there() -> None:
    names = {name.upper() for name in (*Settings.model_fields, *LogSettings.model_fields)}
    assert set(first_cells((DOCS / "settings.md").read_text())) == names
