"""Makes a text fit to be stored and shown: of bounded length, in characters that the database holds and a terminal
shows."""

import codecs
import json
import math
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any, Final

LONGEST: Final = 4000
"""Most characters of a text for people, such as an error message."""

# Postgres refuses NUL, and UTF-8 has no lone surrogates; the others would garble a terminal or a log.
_REFUSED: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
# Our own messages have these, which an encoding other than UTF-8 may lack.
_PLAIN: Final = str.maketrans({"…": "...", "“": "'", "”": "'"})


def clean(text: str, longest: int = LONGEST, encoding: str = "utf-8") -> str:
    """Return `text` in at most `longest` characters of Python's `encoding`, with others replaced."""
    cut = text[: longest + 1]
    known = _REFUSED.sub(_REPLACEMENT, cut)
    if encoding != "utf-8":
        known = known.translate(_PLAIN).encode(encoding, "replace").decode(encoding)
    if len(known) <= longest:
        return known
    mark = "…" if encoding == "utf-8" else "..."
    return known[: longest - len(mark)] + mark


def printable(text: str, keep: str = "") -> str:
    """Return `text` with each character escaped as in Python (`\\x1b`) that would steer a terminal, or turn around or
    hide what it shows: control and format characters, line ends too, but not those of `keep`."""
    return _escaped(text, lambda character: character.encode("unicode_escape").decode(), keep)


def printable_json(text: str, keep: str = "") -> str:
    """Return JSON with the same characters escaped as in JSON, which means the same; `keep` is between its parts."""
    return _escaped(text, lambda character: json.dumps(character)[1:-1], keep)


def _escaped(text: str, escape: Callable[[str], str], keep: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep or unicodedata.category(each) == "Zs" else escape(each)
        for each in text
    )


def clean_json(value: Any, encoding: str = "utf-8") -> Any:
    """Return a value for JSON with every text as `clean` returns it, and `None` for NaN and infinity."""
    match value:
        case str():
            return clean(value, encoding=encoding)
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {
                clean(str(key), encoding=encoding): clean_json(part, encoding) for key, part in value.items()
            }
        case list() | tuple():
            return [clean_json(part, encoding) for part in value]
        case _:
            return value


@cache
def python_encoding(postgres: str | None) -> str:
    """Python's name for an encoding of Postgres, such as `LATIN1`; ASCII where Python has no such encoding."""
    try:
        return codecs.lookup((postgres or "UTF8").replace("WIN", "cp").replace("KOI8", "koi8_")).name
    except LookupError:
        return "ascii"
