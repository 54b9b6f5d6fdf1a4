"""Gives a role the rights that a worker needs, and no others; grants.sql lists them."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import Connection
from psycopg.errors import DuplicateObject, InsufficientPrivilege, UniqueViolation

from worker.database.connection import PARAMETERS
from worker.database.sql import load_queries
from worker.errors import UserError

QUERIES = load_queries(Path(__file__).with_suffix(".sql"))


class GrantError(UserError):
    """A role cannot be a worker's; the message says which statements a database administrator must execute."""


@dataclass(frozen=True)
class Granted:
    """Whether the role was `created`, and the `statements` that gave it what it lacked."""

    created: bool
    statements: list[str]


def grant(conninfo: str, role: str) -> Granted:
    """Create `role` where there is none, without a password, and give it what it lacks of a worker's rights.

    Safe to repeat and from many at once; needs the worker's tables. Raises GrantError, or psycopg.Error when the
    database cannot be used.
    """
    with psycopg.connect(conninfo, autocommit=True, prepare_threshold=None, **PARAMETERS) as connection:
        created = _create(connection, role)
        with connection.transaction():
            connection.execute(QUERIES["lock"])
            lacking = _missing(connection, role)
            for statement in lacking:
                # Somebody else's table: what follows is given all the same.
                with contextlib.suppress(InsufficientPrivilege), connection.transaction():
                    connection.execute(statement.encode())
            left = _missing(connection, role)
    if left:
        raise GrantError(
            f"The user of DATABASE_URL may not give {role} all that a worker needs. "
            "Have the owner of these execute, then migrate again:\n  " + ";\n  ".join(left) + ";"
        )
    return Granted(created, lacking)


def _create(connection: Connection[tuple[object, ...]], role: str) -> bool:
    found = connection.execute(QUERIES["role"], {"role": role}).fetchone()
    if found == (True,):
        raise GrantError(f"{role} is a superuser, which no worker needs: name another role, or a new one.")
    if found:
        return False
    [(statement,)] = connection.execute(QUERIES["creation"], {"role": role}).fetchall()
    try:
        connection.execute(str(statement).encode())
    except (DuplicateObject, UniqueViolation):
        return False  # by a migration of another database of this server
    except psycopg.DatabaseError as error:
        if connection.broken:
            raise
        raise GrantError(
            f"There is no role {role}, and it cannot be created: {error.diag.message_primary}. "
            f"Have an administrator execute `{statement}`, then migrate again."
        ) from None
    return True


def _missing(connection: Connection[tuple[object, ...]], role: str) -> list[str]:
    rows = connection.execute(QUERIES["missing"], {"role": role}).fetchall()
    return [str(statement) for (statement,) in rows]
