"""One migration: a file `NNNN_name.sql`, and what its leading comment tells the migrator.

`-- oldest worker: 0.1.0` names the oldest version of the worker that may start and run beside the schema after it;
without, that is the version that applies it. With `-- transaction: no` each statement is a transaction of its own, as
CREATE INDEX CONCURRENTLY needs; whatever interrupts it, it is begun anew.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from worker.errors import UserError
from worker.version import VERSION

_FILE_NAME = re.compile(r"(?!0000)[0-9]{4}_[a-z0-9_]+")
# A migration that ends its own transaction could be left half applied.
_TRANSACTION = re.compile(
    r"^[ \t]*(BEGIN|COMMIT|ROLLBACK|START\s+TRANSACTION)(\s+(WORK|TRANSACTION))?\s*;",
    re.IGNORECASE | re.MULTILINE,
)
_LEADING_COMMENT = re.compile(r"(?:--[^\n]*\n?)*")
_DIRECTIVE = re.compile(r"^--[ \t]*(oldest worker|transaction):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_VALUES = {"oldest worker": re.compile(r"\d+\.\d+\.\d+"), "transaction": re.compile("no")}
_CONCURRENT_INDEX = re.compile(
    r"\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(IF\s+NOT\s+EXISTS\s+)?(\"(?:[^\"]|\"\")+\"|\w+)",
    re.IGNORECASE,
)


class MigrationError(UserError):
    """The migrations cannot be applied to this database; the message says what was changed."""


@dataclass(frozen=True)
class Migration:
    """One file; `name` is without `.sql`, `text` always has Unix line ends."""

    name: str
    text: str
    oldest_worker: str = VERSION
    is_transaction: bool = True

    @property
    def number(self) -> int:
        """The four digits that its name begins with."""
        return int(self.name[:4])

    @property
    def sha256(self) -> str:
        """SHA-256 of `text`, to detect a change after it was applied."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def concurrent_indexes(self) -> list[str]:
        """The names, as SQL has them, of the indexes that it creates CONCURRENTLY."""
        return [found[2] for found in _CONCURRENT_INDEX.finditer(self.text)]

    def line(self, position: int) -> int:
        """The number of the line at a position of the text."""
        return self.text.count("\n", 0, position) + 1


def read_folder(folder: Path) -> list[Migration]:
    """Read a folder's migrations, in order. Raises MigrationError for a file that is none."""
    files = sorted(folder.glob("*.sql"))
    if not files:
        raise MigrationError(
            f"There are no migrations in {folder}: is it the folder of the NNNN_name.sql files?"
        )
    return [_read_file(file) for file in files]


def _read_file(file: Path) -> Migration:
    if not _FILE_NAME.fullmatch(file.stem):
        raise MigrationError(
            f"{file} is not named as a migration: call it NNNN_name.sql, in lower case, from 0001 on."
        )
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise MigrationError(f"{file} is not UTF-8 (byte {error.start}): save it as UTF-8.") from None
    directives = _directives(file, text)
    migration = Migration(
        file.stem, text, directives.get("oldest worker", VERSION), directives.get("transaction") != "no"
    )
    if found := _TRANSACTION.search(text):
        raise MigrationError(
            f"{file}, line {migration.line(found.start(1))}: remove “{found[1]}”; "
            "the migrator begins and ends transactions."
        )
    for index in _CONCURRENT_INDEX.finditer(text):
        if not migration.is_transaction and not index[1]:
            raise MigrationError(
                f"{file}, line {migration.line(index.start())}: write IF NOT EXISTS before {index[2]}; "
                "after an interruption the whole migration is applied again."
            )
    return migration


def _directives(file: Path, text: str) -> dict[str, str]:
    leading = _LEADING_COMMENT.match(text)
    found = dict(_DIRECTIVE.findall(leading[0] if leading else ""))
    for name, value in found.items():
        if not _VALUES[name].fullmatch(value):
            raise MigrationError(
                f"{file}: “-- {name}: {value}” is not understood; "
                "it is “-- oldest worker: 0.1.0” with three numbers, or “-- transaction: no”."
            )
    return found
