"""Logging: JSON lines for machines, colours on a terminal; passwords hidden and control characters escaped in both."""

import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from worker.settings import LogSettings
from worker.texts import printable, printable_json

HIDDEN: Final = "***"

FIRST: Final = ("timestamp", "level", "event", "worker", "job_id", "attempt")
# Names, ids and paths: a password with the same letters is not in them, and stars in its place would give it away.
NO_TEXT: Final = frozenset(
    {
        *FIRST,
        "worker_id",
        "version",
        "active",
        "status",
        "stage",
        "phase",
        "signal",
        "error_code",
        "setting",
        "name",
        "storage_path",
        "output_path",
        "path",
        "paths",
        "backbone",
        "base_weights",
    }
)
# Most characters of a field that others write; it is cut when secrets are hidden, so never in the midst of one.
LONGEST: Final = {"options": 500}

_WORD = r"\w*(?:password|passwd|passphrase|pwd|psw)"
_PASSWORD = re.compile(rf"""(?i)({_WORD}\s*=\s*)(?:'[^']*'|"[^"]*"|[^\s;'"]+)""")
_JSON_PASSWORD = re.compile(rf"""(?i)("{_WORD}"\s*:\s*)"(?:[^"\\]|\\.)*\"""")
_URL_PASSWORD = re.compile(r"(?i)(\b\w[\w+.-]*://[^\s:/@]*:)\S+(?=@)")


class Redactor:
    """Hides each of `secrets`, and whatever looks like a password, in free text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # The longest first: hiding a secret inside another one first would leave the rest of the longer one.
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Hide them in an event; a processor of structlog."""
        return {
            key: value if key in NO_TEXT else _cut(key, _changed(value, self.hide))
            for key, value in event.items()
        }

    def hide(self, text: str) -> str:
        """Return `text` with stars in their places."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        text = _JSON_PASSWORD.sub(rf'\1"{HIDDEN}"', _PASSWORD.sub(rf"\1{HIDDEN}", text))
        return _URL_PASSWORD.sub(rf"\1{HIDDEN}", text)


_redactor = Redactor()


def shown(sentence: str) -> str:
    """Return a sentence for people, which may have several lines, as it may be shown on a terminal."""
    return printable(_redactor.hide(sentence), keep="\n")


def configure_logs(settings: LogSettings, secrets: Iterable[str]) -> None:
    """Log to standard output; hide each of `secrets` in free text, here and in what `shown` returns."""
    global _redactor
    _redactor = Redactor([*secrets, os.environ.get("PGPASSWORD", "")])
    terminal = sys.stdout.isatty()
    console = settings.log_format == "console" or (settings.log_format == "auto" and terminal)
    renderers: list[Processor] = (
        [_for_console, structlog.dev.ConsoleRenderer(colors=terminal)] if console else [_to_json]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redactor,
            _people_first,
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.log_level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )


def _people_first(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    return {**{key: event[key] for key in FIRST if key in event}, **event}


def _to_json(logger: WrappedLogger, method: str, event: EventDict) -> str:
    return printable_json(json.dumps(_changed(event, _encodable), ensure_ascii=False, default=str))


def _for_console(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Escape texts; the renderer does so itself in lists. A stack trace keeps its lines, none of which can be taken
    for an event."""
    escaped = {key: printable(value) if isinstance(value, str) else value for key, value in event.items()}
    if isinstance(trace := event.get("exception"), str):
        escaped["exception"] = "\n".join(f"    {printable(line)}" for line in trace.split("\n"))
    return escaped


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    """Return `value` with every text in it changed, but no key."""
    match value:
        case str():
            return change(value)
        case dict():
            return {key: _changed(part, change) for key, part in value.items()}
        case list() | tuple():
            return [_changed(part, change) for part in value]
        case _:
            return value


def _encodable(text: str) -> str:
    # A file name can hold lone surrogates, which no output can.
    return text.encode(errors="backslashreplace").decode()


def _cut(key: str, value: Any) -> Any:
    longest = LONGEST.get(key)
    return f"{value[:longest]}…" if longest and len(value) > longest else value
