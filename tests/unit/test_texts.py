"""A text that is stored has a bounded length, and only characters that the database holds."""

import json
import math

import pytest

from worker.texts import clean, clean_json, printable, printable_json, python_encoding


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        ("Käse\tfür 3 €\n", "utf-8", "Käse\tfür 3 €\n"),
        ("a\0b\x1b[31m\ud800", "utf-8", "a\ufffdb\ufffd[31m\ufffd"),
        ("“Käse” für 3 €…", "iso8859-1", "'Käse' für 3 ?..."),
        ("a\0b", "ascii", "a?b"),
        ("x" * 11, "utf-8", "x" * 9 + "…"),
        ("x" * 11, "ascii", "x" * 7 + "..."),
        ("x" * 9 + "…", "ascii", "x" * 7 + "..."),
        ("x" * 10, "ascii", "x" * 10),
    ],
)
def test_what_cannot_be_stored_is_replaced_or_cut(text: str, encoding: str, expected: str) -> None:
    longest = 10 if text.startswith("x") else 100
    assert clean(text, longest, encoding) == expected


def test_json_is_cleaned_inside() -> None:
    value = {"a\0": ["b\0", (1.5, math.nan, -math.inf, True, None, 7)]}
    assert clean_json(value) == {"a\ufffd": ["b\ufffd", [1.5, None, None, True, None, 7]]}


@pytest.mark.parametrize(
    ("postgres", "python"),
    [
        (None, "utf-8"),
        ("UTF8", "utf-8"),
        ("LATIN1", "iso8859-1"),
        ("WIN1252", "cp1252"),
        ("KOI8R", "koi8-r"),
        ("MULE_INTERNAL", "ascii"),
    ],
)
def test_an_encoding_that_python_lacks_is_taken_for_ascii(postgres: str | None, python: str) -> None:
    assert python_encoding(postgres) == python


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Käse für 3\u00a0€ 👩🏽", "Käse für 3\u00a0€ 👩🏽"),
        ("a\x1b[31mb\a\x9bc\x7f", r"a\x1b[31mb\x07\x9bc\x7f"),
        ("one\ntwo\r\u2028\x85", r"one\ntwo\r\u2028\x85"),
        ("a\u202ebc\u2066\u200b\ufeff\U000e0041", r"a\u202ebc\u2066\u200b\ufeff\U000e0041"),
        ("\udcff", r"\udcff"),
    ],
)
def test_what_steers_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown
    line = json.dumps(text, ensure_ascii=False)
    assert json.loads(printable_json(line)) == text
    assert printable_json(line).isprintable() or "\u00a0" in line


def test_lines_may_be_kept() -> None:
    assert printable("one\ntwo\r", keep="\n") == "one\ntwo\\r"
