"""Applies one migration, and never makes the shop's statements wait for long."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.errors import DeadlockDetected, LockNotAvailable

from worker.database.migration import Migration, MigrationError
from worker.database.sql import Queries
from worker.database.statements import Statement, split

# While a statement waits for a table's lock, all that come to the table later wait behind it.
LOCK_SECONDS = 2.0
# Nothing waits behind a statement that is CONCURRENTLY. It waits for every transaction that began before it.
CONCURRENT_LOCK_SECONDS = 60.0
# The backend's own tables: where it has them, there is nothing to create. They may be views, on which 0001 would fail;
# and what was applied somewhere is never changed.
GIVEN = {"0001_products": ['"Products"', '"ProductPhotos"']}


class LockedError(Exception):
    """A lock was not to be had in time for `what`; `text` names the tables, `left` says what was changed."""

    def __init__(self, what: str, text: str, left: str) -> None:
        super().__init__(what)
        self.what = what
        self.text = text
        self.left = left


def apply(connection: Connection[Any], queries: Queries, migration: Migration) -> None:
    """Apply a migration and record it. Raises LockedError, or MigrationError when Postgres refuses it."""
    record = {
        "name": migration.name,
        "sha256": migration.sha256,
        "oldest_worker": migration.oldest_worker,
    }
    given = GIVEN.get(migration.name)
    if given and connection.execute(queries["are_there"], {"tables": given}).fetchone() == (True,):
        connection.execute(queries["record"], record)
        return
    if migration.is_transaction:
        limit_locks(connection, queries, LOCK_SECONDS)
        with _errors_explained(connection, migration, Statement(migration.text, 0)), connection.transaction():
            connection.execute(queries["record"], record)
            connection.execute(migration.text.encode())
        return
    for statement in (*_leftovers(connection, queries, migration), *split(migration.text)):
        is_patient = "CONCURRENTLY" in statement.text.upper()
        limit_locks(connection, queries, CONCURRENT_LOCK_SECONDS if is_patient else LOCK_SECONDS)
        with _errors_explained(connection, migration, statement):
            connection.execute(statement.text.encode())
    connection.execute(queries["record"], record)


def limit_locks(connection: Connection[Any], queries: Queries, seconds: float) -> None:
    """Limit every wait for a lock on this connection."""
    connection.execute(queries["limit_locks"], {"milliseconds": str(round(1000 * seconds))})


def _leftovers(connection: Connection[Any], queries: Queries, migration: Migration) -> Iterator[Statement]:
    """Statements that drop the indexes which an interrupted CREATE INDEX CONCURRENTLY left invalid."""
    for index in migration.concurrent_indexes:
        if connection.execute(queries["is_invalid"], {"index": index}).fetchone() == (True,):
            yield Statement(f"DROP INDEX CONCURRENTLY IF EXISTS {index}", 0)


@contextmanager
def _errors_explained(
    connection: Connection[Any], migration: Migration, statement: Statement
) -> Iterator[None]:
    left = "nothing of it was applied"
    if not migration.is_transaction:
        left = "what it has done so far stays"
    try:
        yield
    except (LockNotAvailable, DeadlockDetected) as error:
        raise LockedError(f"{migration.name}.sql", statement.text, left) from error
    except psycopg.Error as error:
        if connection.broken:
            raise
        raise MigrationError(_explain(migration, statement, left, error)) from error


def _explain(migration: Migration, statement: Statement, left: str, error: psycopg.Error) -> str:
    location = f"{migration.name}.sql"
    if error.diag.statement_position:
        position = statement.start + int(error.diag.statement_position) - 1
        location += f", line {migration.line(position)}"
    fields = {"": error.diag.message_primary or str(error), "Detail": error.diag.message_detail}
    fields |= {"Hint": error.diag.message_hint, "Context": error.diag.context}
    lines = [f"{label}: {text}" if label else text for label, text in fields.items() if text]
    details = "\n  ".join(lines)
    return f"{location} failed, and {left}: correct it and migrate again. Postgres said:\n  {details}"
