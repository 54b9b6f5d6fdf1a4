"""Logging: JSON lines for machines, colours on a terminal, passwords hidden in both."""

import logging
import re
import sys
from collections.abc import Iterable
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from worker.settings import LogSettings

HIDDEN = "***"
_PASSWORD = re.compile(r"""(?ix) (\b(?:password|pwd|psw)\s*=\s*) (?: '[^']*' | "[^"]*" | [^\s;'"]+ )""")
_URL_PASSWORD = re.compile(r"(?i)(\b\w+://[^\s:/@]*:)[^\s@]+(?=@)")


def configure_logs(settings: LogSettings, secrets: Iterable[str]) -> None:
    """Log to standard output; hide each of `secrets` wherever it occurs."""
    terminal = sys.stdout.isatty()
    console = settings.log_format == "console" or (settings.log_format == "auto" and terminal)
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=terminal)
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _Redactor(secrets),
            _people_first,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.log_level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )


FIRST = ("timestamp", "level", "event", "worker", "job_id", "attempt")


def _people_first(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    return {**{key: event[key] for key in FIRST if key in event}, **event}


class _Redactor:
    def __init__(self, secrets: Iterable[str]) -> None:
        # The longest first: hiding a secret inside another one first would leave the rest of the longer one.
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {key: self._hide(value) for key, value in event.items()}

    def _hide(self, value: Any) -> Any:
        match value:
            case str():
                return self._hide_in(value)
            case dict():
                return {key: self._hide(part) for key, part in value.items()}
            case list() | tuple():
                return [self._hide(part) for part in value]
            case _:
                return value

    def _hide_in(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        # A file name can hold lone surrogates, which no output can.
        text = text.encode(errors="backslashreplace").decode()
        return _URL_PASSWORD.sub(rf"\1{HIDDEN}", _PASSWORD.sub(rf"\1{HIDDEN}", text))
