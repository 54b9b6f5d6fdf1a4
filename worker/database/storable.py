"""Makes values fit for the database: every text and JSON that is written to a row goes through here."""

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from worker.texts import LONGEST, clean, clean_json, python_encoding


def storable(
    connection: AsyncConnection[Any], values: Mapping[str, object], lengths: Mapping[str, int] | None = None
) -> dict[str, object]:
    """Return a statement's parameters with clean texts in the database's encoding, and mappings as JSON.

    `lengths` has the most characters of texts that are not bounded by `worker.texts.LONGEST`.
    """
    encoding = python_encoding(connection.info.parameter_status("server_encoding"))

    def fit(name: str, value: object) -> object:
        match value:
            case str():
                return clean(value, (lengths or {}).get(name, LONGEST), encoding)
            case Mapping():
                return Jsonb(clean_json(dict(value), encoding))
            case _:
                return value

    return {name: fit(name, value) for name, value in values.items()}


def said(error: psycopg.Error) -> str:
    """The sentence of Postgres about a refused statement, which names the column or the constraint."""
    text = (error.diag.message_primary or str(error)).strip().removesuffix(".")
    return clean(text[:1].upper() + text[1:], 500) + "."
