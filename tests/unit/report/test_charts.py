"""Figures hold any name as text."""

import re
from xml.etree import ElementTree

from tests.support.made_reports import HOSTILE, made_report
from worker.report import charts


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
