"""Loads named queries from `.sql` files: each query follows a line `-- name: its_name`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"--\s*name:(.*)")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")


class UnknownQueryError(KeyError):
    """The file has no query of this name."""

    def __str__(self) -> str:
        return str(self.args[0])


class InvalidQueriesError(ValueError):
    """A file of named queries cannot be parsed; the message names the file and the line."""


@dataclass(frozen=True)
class Queries(Mapping[str, bytes]):
    """The queries of one file by name, as bytes for psycopg's `execute`."""

    path: Path
    texts: Mapping[str, bytes]

    def __getitem__(self, name: str) -> bytes:
        """Raises UnknownQueryError, a KeyError."""
        try:
            return self.texts[name]
        except KeyError:
            message = f"{self.path} has no query “{name}”; it has: {', '.join(sorted(self.texts))}."
            raise UnknownQueryError(message) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)

    def __len__(self) -> int:
        return len(self.texts)


def load_queries(path: Path) -> Queries:
    """Read a file of named queries.

    The comment lines directly after a name describe the query. They are left out: psycopg would parse a per
    cent sign in them as a parameter.
    Raises InvalidQueriesError, or OSError when the file cannot be read.
    """
    found: dict[str, tuple[int, list[str]]] = {}
    lines: list[str] | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if heading := _NAME.fullmatch(line.strip()):
            name = heading[1].strip()
            if not _IDENTIFIER.fullmatch(name):
                raise InvalidQueriesError(
                    f"{path}, line {number}: name the query in lower case, as in claim_job."
                )
            if name in found:
                raise InvalidQueriesError(f"{path}, line {number}: there is a query “{name}” already.")
            lines = []
            found[name] = number, lines
        elif lines is None:
            if line.strip() and not line.lstrip().startswith("--"):
                raise InvalidQueriesError(
                    f"{path}, line {number}: a line “-- name: …” must come before the SQL."
                )
        elif lines or not _is_description(line):
            lines.append(line)
    for name, (number, body) in found.items():
        if not body:
            raise InvalidQueriesError(f"{path}, line {number}: the query “{name}” is empty.")
    return Queries(path, {name: "\n".join(body).strip().encode() for name, (_, body) in found.items()})


def _is_description(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("--")
