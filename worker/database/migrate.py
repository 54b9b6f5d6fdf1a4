"""Brings a database up to date with a folder of `NNNN_name.sql` files, each applied once, in order."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.errors import InvalidSchemaName, LockNotAvailable

from worker.database.apply import LOCK_SECONDS, LockedError, apply, limit_locks
from worker.database.migration import Migration, MigrationError, read_folder
from worker.database.sql import load_queries
from worker.errors import UserError
from worker.version import VERSION, numbers

QUERIES = load_queries(Path(__file__).with_suffix(".sql"))

# A wheel has the migrations inside the package, a checkout beside it.
_INSTALLED = Path(__file__).parents[1] / "migrations"
MIGRATIONS = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[2] / "migrations"

# How often one migration is tried, and the pause before it is tried again.
LOCK_TRIES = 10
LOCK_PAUSE_SECONDS = 3.0


@dataclass(frozen=True)
class _Applied:
    """What the database says of a migration that was applied."""

    sha256: str
    when: str
    oldest_worker: str


def migrate(conninfo: str, folder: Path) -> list[str]:
    """Apply the pending migrations, each in its own transaction unless it says otherwise, and return their names.

    Waits while another process migrates the same database, and for a while for locks.
    Raises MigrationError, or psycopg.Error when the database cannot be used.
    """
    migrations = read_folder(folder)
    done: list[str] = []
    with _connect(conninfo) as connection:
        connection.execute(QUERIES["remove_time_limits"])
        tries, tried = 0, 0
        while True:
            try:
                # Taken anew each time: one that waits for it may be what a statement CONCURRENTLY waits for.
                with _alone(connection):
                    _create_table(connection)
                    for migration in _pending(connection, migrations, folder):
                        apply(connection, QUERIES, migration)
                        done.append(migration.name)
                return done
            except LockedError as error:
                tries, tried = tries + 1 if tried == len(done) else 1, len(done)
                if tries == LOCK_TRIES:
                    raise MigrationError(_explain_lock(connection, error)) from error.__cause__
            time.sleep(LOCK_PAUSE_SECONDS)


def pending(conninfo: str, folder: Path) -> list[str]:
    """Return the names of the migrations that `migrate` would apply, without changes and without waiting.

    Raises MigrationError, or psycopg.Error when the database cannot be used.
    """
    migrations = read_folder(folder)
    with _connect(conninfo) as connection:
        return [migration.name for migration in _pending(connection, migrations, folder)]


def refuse_pending(conninfo: str) -> None:
    """Raise UserError unless this worker may run beside the schema; raises what `pending` raises, too."""
    if missing := pending(conninfo, MIGRATIONS):
        raise UserError(f"The database lacks {', '.join(missing)}: run `worker migrate` first.")


@contextmanager
def _connect(conninfo: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(
        conninfo, autocommit=True, prepare_threshold=None, client_encoding="utf8"
    ) as connection:
        if connection.execute(QUERIES["encoding"]).fetchone() == ("SQL_ASCII",):
            raise MigrationError(
                "The database's encoding is SQL_ASCII, in which nobody knows what a letter is: dump it, and restore "
                "it into a database created with ENCODING 'UTF8' TEMPLATE template0."
            )
        yield connection


@contextmanager
def _alone(connection: Connection[Any]) -> Iterator[None]:
    """Hold the migrators' lock.

    It is tried for: CREATE INDEX CONCURRENTLY waits for all statements, also for one that waits for this lock.
    """
    while connection.execute(QUERIES["try_lock"]).fetchone() != (True,):
        time.sleep(random.uniform(0.1, 0.3))
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(QUERIES["unlock"])


def _create_table(connection: Connection[Any]) -> None:
    has_table, has_old_table = _tables(connection)
    if has_table:
        return
    limit_locks(connection, QUERIES, LOCK_SECONDS)
    try:
        with connection.transaction():
            connection.execute(QUERIES["take_over_table" if has_old_table else "create_table"])
            connection.execute(QUERIES["create_view"])
    except LockNotAvailable as error:
        raise LockedError("The table of migrations", '"WorkerMigrations"', "nothing was changed") from error
    except InvalidSchemaName:
        raise MigrationError(
            "No schema of the connection's search_path exists: create it, or correct search_path in DATABASE_URL."
        ) from None


def _explain_lock(connection: Connection[Any], error: LockedError) -> str:
    holders = connection.execute(QUERIES["holders"], {"text": error.text}).fetchall()
    held = "".join(
        f" Process {pid} ({who}) holds a lock, in a transaction since {since}." for pid, who, since in holders
    )
    return (
        f"{error.what}: a lock was not to be had in {LOCK_TRIES} tries, and {error.left}.{held} "
        "Run `worker migrate` again when no long transaction is open."
    )


def _tables(connection: Connection[Any]) -> tuple[bool, bool]:
    """Whether the database has today's table of applied migrations, and whether it has the one of workers 0.1."""
    row = connection.execute(QUERIES["tables"]).fetchone()
    assert row
    return row[0], row[1]


def _read_applied(connection: Connection[Any]) -> dict[str, _Applied]:
    has_table, has_old_table = _tables(connection)
    if not has_table and not has_old_table:
        return {}
    rows = connection.execute(QUERIES["applied" if has_table else "applied_by_old"]).fetchall()
    return {name: _Applied(sha256, when, oldest) for name, sha256, when, oldest in rows}


def _pending(connection: Connection[Any], migrations: list[Migration], folder: Path) -> list[Migration]:
    applied = _read_applied(connection)
    _check_present(applied, migrations, folder)
    _check_numbers(migrations, folder)
    for migration in migrations:
        if (row := applied.get(migration.name)) and row.sha256 != migration.sha256:
            raise MigrationError(
                f"{migration.name} was changed after it was applied on {row.when}; "
                f"restore {folder / migration.name}.sql or write a new migration."
            )
    return [migration for migration in migrations if migration.name not in applied]


def _check_present(applied: dict[str, _Applied], migrations: list[Migration], folder: Path) -> None:
    names = {migration.name for migration in migrations}
    last = max(migration.number for migration in migrations)
    for name, row in applied.items():
        if name not in names and int(name[:4]) <= last:
            raise MigrationError(
                f"{name} is applied to this database but is not in {folder}; "
                "restore the file, or use the worker's version that has it."
            )
        if name not in names and numbers(VERSION) < numbers(row.oldest_worker):
            raise MigrationError(
                f"{name} is applied to this database and needs a worker of version {row.oldest_worker} or later, "
                f"but this one is {VERSION}: use a later version."
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
