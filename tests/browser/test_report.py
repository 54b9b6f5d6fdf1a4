"""A report.html runs nothing and loads nothing in a browser, whatever products and files are called."""

import json
from pathlib import Path
from typing import Any

import pytest

from demo.node import install, run_node
from tests.support.made_reports import SCRIPT, hostile_report, made_report, skus
from worker.report.description import ModelDescription
from worker.report.page import render

SCRIPTS = Path(__file__).parent / "tfjs"


@pytest.fixture(scope="module")
def hostile() -> ModelDescription:
    return hostile_report()


def test_browser_runs_and_loads_nothing_and_all_fits_a_phone(
    hostile: ModelDescription, tmp_path: Path
) -> None:
    install()
    shown = opened(render(hostile), tmp_path, 360)
    assert shown["errors"] == []
    assert shown["requests"] == []
    assert shown["width"] <= 360
    assert shown["pictures"] == 15
    assert shown["heading"] == SCRIPT


def test_without_its_policy_the_page_still_runs_nothing(hostile: ModelDescription, tmp_path: Path) -> None:
    install()
    shown = opened(render(hostile), tmp_path, 1280, "--bypass-csp")
    assert shown["scripted"] is False
    assert shown["errors"] == []
    assert shown["requests"] == []


def test_browser_opens_two_thousand_products_without_overflow(tmp_path: Path) -> None:
    install()
    shown = opened(render(made_report(skus(2000), ["Name" * 40] * 2000, photos=3)), tmp_path, 360)
    assert shown["errors"] == []
    assert shown["width"] <= 360


def opened(html: str, folder: Path, width: int, *flags: str) -> dict[str, Any]:
    (folder / "report.html").write_text(html, encoding="utf-8")
    shown: dict[str, Any] = json.loads(
        run_node(SCRIPTS / "report.mjs", folder / "report.html", width, *flags)
    )
    return shown
