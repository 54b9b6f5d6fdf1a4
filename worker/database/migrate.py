"""Brings a database up to date with a folder of `NNNN_name.sql` files, each applied once, in order."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import Connection
from psycopg.errors import InvalidSchemaName

from worker.database.sql import load_queries
from worker.errors import UserError

QUERIES = load_queries(Path(__file__).with_suffix(".sql"))

# A wheel has the migrations inside the package, a checkout beside it.
_INSTALLED = Path(__file__).parents[1] / "migrations"
MIGRATIONS = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[2] / "migrations"

_FILE_NAME = re.compile(r"(?!0000)[0-9]{4}_[a-z0-9_]+")
# A migration that ends its own transaction could be left half applied.
_TRANSACTION = re.compile(
    r"^[ \t]*(BEGIN|COMMIT|ROLLBACK|START\s+TRANSACTION)(\s+(WORK|TRANSACTION))?\s*;",
    re.IGNORECASE | re.MULTILINE,
)


class MigrationError(UserError):
    """The migrations cannot be applied to this database; the one that the message names has changed nothing."""


@dataclass(frozen=True)
class Migration:
    """One file; `name` is without `.sql`, `text` always has Unix line ends."""

    name: str
    text: str

    @property
    def number(self) -> int:
        """The four digits that its name begins with."""
        return int(self.name[:4])

    @property
    def sha256(self) -> str:
        """SHA-256 of `text`, to detect a change after it was applied."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrate(conninfo: str, folder: Path) -> list[str]:
    """Apply the pending migrations, each in its own transaction, and return their names.

    Waits while another process migrates the same database.
    Raises MigrationError, or psycopg.Error when the database cannot be used.
    """
    migrations = _read(folder)
    with _connect(conninfo) as connection:
        connection.execute(QUERIES["remove_time_limits"])
        connection.execute(QUERIES["lock"])
        if not _has_table(connection):
            _create_table(connection)
        waiting = _pending(connection, migrations, folder)
        for migration in waiting:
            _apply(connection, migration)
    return [migration.name for migration in waiting]


def pending(conninfo: str, folder: Path) -> list[str]:
    """Return the names of the migrations that `migrate` would apply, without changes and without waiting.

    Raises MigrationError, or psycopg.Error when the database cannot be used.
    """
    migrations = _read(folder)
    with _connect(conninfo) as connection:
        return [migration.name for migration in _pending(connection, migrations, folder)]


def refuse_pending(conninfo: str) -> None:
    """Raise UserError unless every migration of this worker is applied; raises what `pending` raises, too."""
    if missing := pending(conninfo, MIGRATIONS):
        raise UserError(f"The database lacks {', '.join(missing)}: run `worker migrate` first.")


@contextmanager
def _connect(conninfo: str) -> Iterator[Connection[tuple[object, ...]]]:
    with psycopg.connect(
        conninfo, autocommit=True, prepare_threshold=None, client_encoding="utf8"
    ) as connection:
        if connection.execute(QUERIES["encoding"]).fetchone() == ("SQL_ASCII",):
            raise MigrationError(
                "The database's encoding is SQL_ASCII, in which nobody knows what a letter is: dump it, and restore "
                "it into a database created with ENCODING 'UTF8' TEMPLATE template0."
            )
        yield connection


def _create_table(connection: Connection[tuple[object, ...]]) -> None:
    try:
        connection.execute(QUERIES["create_table"])
    except InvalidSchemaName:
        raise MigrationError(
            "No schema of the connection's search_path exists: create it, or correct search_path in DATABASE_URL."
        ) from None


def _read(folder: Path) -> list[Migration]:
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
    if found := _TRANSACTION.search(text):
        raise MigrationError(
            f"{file}, line {_line(text, found.start(1))}: remove “{found[1]}”; "
            "a migration is one transaction already."
        )
    return Migration(file.stem, text)


def _has_table(connection: Connection[tuple[object, ...]]) -> bool:
    return connection.execute(QUERIES["has_table"]).fetchone() == (True,)


def _pending(
    connection: Connection[tuple[object, ...]], migrations: list[Migration], folder: Path
) -> list[Migration]:
    rows = connection.execute(QUERIES["applied"]).fetchall() if _has_table(connection) else []
    applied = {str(name): (str(sha256), str(when)) for name, sha256, when in rows}
    _check_present(applied, migrations, folder)
    _check_numbers(migrations, folder)
    for migration in migrations:
        sha256, when = applied.get(migration.name, (migration.sha256, ""))
        if sha256 != migration.sha256:
            raise MigrationError(
                f"{migration.name} was changed after it was applied on {when}; "
                f"restore {folder / migration.name}.sql or write a new migration."
            )
    return [migration for migration in migrations if migration.name not in applied]


def _check_present(applied: Iterable[str], migrations: list[Migration], folder: Path) -> None:
    names = {migration.name for migration in migrations}
    if missing := [name for name in applied if name not in names]:
        raise MigrationError(
            f"{missing[0]} is applied to this database but is not in {folder}; "
            "restore the file, or use the worker's version that has it."
        )
    newest = max(applied, default="")
    for migration in migrations:
        if migration.name not in applied and migration.name < newest:
            raise MigrationError(
                f"{migration.name} is not applied, but the later {newest} is; "
                f"give it the number {int(newest[:4]) + 1:04} or a higher one in {folder}."
            )


def _check_numbers(migrations: list[Migration], folder: Path) -> None:
    for expected, migration in enumerate(migrations, 1):
        if migration.number < expected:
            raise MigrationError(
                f"Two migrations in {folder} have the number {migration.number:04}: renumber one."
            )
        if migration.number > expected:
            raise MigrationError(
                f"{folder} has {migration.name} but no migration {expected:04}: restore it or renumber."
            )


def _apply(connection: Connection[tuple[object, ...]], migration: Migration) -> None:
    try:
        with connection.transaction():
            connection.execute(QUERIES["record"], {"name": migration.name, "sha256": migration.sha256})
            connection.execute(migration.text.encode())
    except psycopg.Error as error:
        if connection.broken:
            raise
        raise MigrationError(_explain(migration, error)) from error


def _explain(migration: Migration, error: psycopg.Error) -> str:
    location = f"{migration.name}.sql"
    if error.diag.statement_position:
        location += f", line {_line(migration.text, int(error.diag.statement_position) - 1)}"
    fields = {"": error.diag.message_primary or str(error), "Detail": error.diag.message_detail}
    fields |= {"Hint": error.diag.message_hint, "Context": error.diag.context}
    lines = [f"{label}: {text}" if label else text for label, text in fields.items() if text]
    details = "\n  ".join(lines)
    remedy = "nothing of it was applied: correct it and migrate again"
    return f"{location} failed, and {remedy}. Postgres said:\n  {details}"


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
