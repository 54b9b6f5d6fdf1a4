"""Splits the text of a migration into its statements."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# What may hold a semicolon that ends no statement: comments, texts, names, and bodies between dollars.
_PART = re.compile(
    r"""--[^\n]* | /\*.*?\*/ | '(?:[^']|'')*' | "(?:[^"]|"")*" | (?P<dollars>\$\w*\$).*?(?P=dollars) | ;""",
    re.DOTALL | re.VERBOSE,
)
_COMMENT = re.compile(r"(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)+", re.DOTALL)


@dataclass(frozen=True)
class Statement:
    """One statement, without its semicolon; `start` is its position in the migration's text."""

    text: str
    start: int


def split(text: str) -> Iterator[Statement]:
    """Yield the statements of `text` in order, without the comments before them."""
    start = 0
    ends = [part.start() for part in _PART.finditer(text) if part[0] == ";"]
    for end in (*ends, len(text)):
        if comment := _COMMENT.match(text, start, end):
            start = comment.end()
        if start < end:
            yield Statement(text[start:end], start)
        start = end + 1
