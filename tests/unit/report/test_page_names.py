"""A report.html runs nothing and loads nothing, whatever products and files are called: parsed, and in a browser."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from demo.node import install, run_node
from tests.support.made_reports import made_report, skus
from tests.support.parsed_page import Page
from worker.job.options import Options
from worker.job.promotion import Promotion
from worker.report import charts
from worker.report.description import ModelDescription
from worker.report.page import render

ROOT = Path(__file__).parents[3]
SCRIPT = "<script>window.scripted = true</script>"
HOSTILE = (
    SCRIPT,
    '" onerror="window.scripted = true" x="',
    "' autofocus onfocus='window.scripted = true' '",
    "</svg></style></title></script>" + SCRIPT,
    "--><img src=x onerror='window.scripted = true'>",
    "javascript:window.scripted=true",
    "{{ 7 * 7 }}{% include 'x' %}",
    "$\\frac{a}{b}$ x^2 $",
    "\u202egnitset\u200b\u2066",
    "tab\tline\nnull\0bell\x07\x1b[31m\ufffe\ud800",
    "]]> &amp; &#60;script&#62; <![CDATA[",
    "很长的名字没有空格" * 12,
    "W" * 300,
    "#000001: #000004; style=fill:#000005",
)


@pytest.fixture(scope="module")
def hostile() -> ModelDescription:
    report = made_report(HOSTILE, HOSTILE[::-1])
    return replace(
        report,
        version=SCRIPT,
        job_id=SCRIPT,
        method=SCRIPT,
        reason=HOSTILE[1],
        options=Options(negatives=(SCRIPT, HOSTILE[1])),
        promotion=Promotion(False, SCRIPT, HOSTILE[1], None),
    )


def test_names_are_text_and_nothing_else(hostile: ModelDescription) -> None:
    html = render(hostile)
    page = Page(html)
    assert not {"script", "iframe", "object", "embed", "link", "base", "form", "a"} & set(page.tags)
    assert page.tags.count("img") == 15
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    addresses = [
        value for _, name, value in page.attributes if name in ("src", "href", "action", "xlink:href")
    ]
    assert addresses
    assert all(value.startswith(("data:image/jpeg;base64,", "#")) for value in addresses)
    assert not [value for _, name, value in page.attributes if name == "style" and "//" in value]
    for name in (SCRIPT, *HOSTILE[1:8], HOSTILE[10]):
        assert " ".join(name.split()) in page.text


def test_figures_hold_any_name_as_text() -> None:
    report = made_report(HOSTILE)
    for svg in (
        charts.recall_by_product(report.evaluation.by_product),
        charts.confusion_matrix(report.evaluation.by_product),
    ):
        assert svg is not None
        root = ElementTree.fromstring(svg)
        assert {element.tag for element in root.iter()} <= {
            "svg",
            "g",
            "path",
            "defs",
            "clipPath",
            "rect",
            "use",
            "text",
        }
        assert not [name for element in root.iter() for name in element.attrib if name.startswith("on")]
        labels = [element.text or "" for element in root.iter("text")]
        assert any(label.startswith("<scr") for label in labels)
        assert any("$" in label and "frac" in label for label in labels)
        assert "#00000" not in re.sub(r'aria-label="[^"]*"|<text[^>]*>[^<]*', "", svg)


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
        run_node(ROOT / "tests/browser/tfjs/report.mjs", folder / "report.html", width, *flags)
    )
    return shown
