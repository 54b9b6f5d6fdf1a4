"""Converts a connection string in any of the backend's formats (URL, libpq, Npgsql) to libpq's."""

import json
import re
from collections.abc import Mapping
from urllib.parse import quote, quote_plus

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from worker.database import npgsql
from worker.database.npgsql import LIBPQ_SECRETS, InvalidConnectionString
from worker.database.npgsql_keywords import IGNORED, KEYWORDS, squashed

__all__ = ["InvalidConnectionString", "secrets_of", "to_conninfo"]

URL_EXAMPLE = "postgresql://user:password@host:5432/database"
LIBPQ_EXAMPLE = "host=… port=5432 dbname=… user=… password='…'"

_URL = re.compile(r"(postgres|postgresql)://", re.IGNORECASE)
_OTHER_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.:_-]*://")
_FIRST_KEYWORD = re.compile(r"\s*(\w+)\s*=")
_LIBPQ_ENTRY = re.compile(r"(\w+)\s*=\s*(?:'(?:[^'\\]|\\.)*+'|((?:[^\s\\]|\\.)*+))", re.ASCII | re.DOTALL)
_SWALLOWED = re.compile(r"[;,]\s*[^=;,]+?\s*=")
# A name or an address; a path of a socket is not looked into. Whatever else is there may be a password.
_HOST = re.compile(r"[/@].*|[\w.-]*|[0-9A-Fa-f:.]+(%[\w.-]+)?", re.DOTALL)


def to_conninfo(text: str) -> str:
    """Return the libpq connection string for a URL, a libpq string or an Npgsql (ADO.NET) string.

    Raises InvalidConnectionString, whose message quotes no value of `text`.
    """
    text = text.lstrip()
    if not text.strip("; \t\r\n"):
        raise InvalidConnectionString(f"The connection string is empty: {_expected()}.")
    if "\0" in text:
        raise InvalidConnectionString("The connection string holds a NUL character: remove it.")
    if _URL.match(text):
        parameters = _read_url(text.rstrip())
    elif _OTHER_URL.match(text):
        raise InvalidConnectionString(f"The connection string is a URL of another kind: {_expected()}.")
    else:
        parameters = _read_keywords(text)
    _check_hosts(parameters)
    _check_ports(parameters)
    return make_conninfo("", **parameters)


def secrets_of(conninfo: str) -> list[str]:
    """Return the passwords in a libpq connection string, in each way to write them, longest first, for redacting.

    Raises psycopg.ProgrammingError when `conninfo` is invalid; one from `to_conninfo` never is.
    """
    parameters = conninfo_to_dict(conninfo)
    written: set[str] = set()
    for password in (str(parameters[name]) for name in LIBPQ_SECRETS if parameters.get(name)):
        escaped = password.replace("\\", "\\\\").replace("'", "\\'")
        doubled = (password.replace(mark, mark * 2) for mark in "\"'")
        encoded = (quote(password, safe=""), quote(password, safe="!$&'()*+,;=:"), quote_plus(password))
        in_json = (json.dumps(password, ensure_ascii=plain)[1:-1] for plain in (True, False))
        written.update((password, escaped, *doubled, *encoded, *in_json))
    return sorted(written, key=lambda secret: (-len(secret), secret))


def _read_url(text: str) -> Mapping[str, str]:
    scheme, _, rest = text.partition("://")
    authority, _, path = rest.partition("/")
    # libpq would parse a part of the password as the host, and show it in its errors.
    user, database = authority.rpartition("@")[0].partition(":")[0], path.partition("?")[0]
    if authority.count("@") > 1 or "@" in database:
        raise _invalid_url("has more than one “@”, or one after “/”")
    if "=" in user + database:
        raise _invalid_url("has “=” in its user or its database; parameters go after “?”")
    try:
        return _texts(conninfo_to_dict(f"{scheme.lower()}://{rest}"))
    except (psycopg.Error, UnicodeError):
        raise _invalid_url("cannot be read by libpq") from None


def _invalid_url(what: str) -> InvalidConnectionString:
    return InvalidConnectionString(
        f"The connection string is read as a URL ({URL_EXAMPLE}), but {what}: in a user, a password or a "
        "database, write @ as %40, / as %2F, : as %3A, ? as %3F, # as %23, = as %3D, % as %25 and a space as %20."
    )


def _read_keywords(text: str) -> Mapping[str, str]:
    """Parse a libpq or an Npgsql string. Some texts are valid as both: the parse that finds more keywords wins."""
    libpq: Mapping[str, str] = {}
    entries: list[npgsql.Entry] = []
    try:
        libpq = _read_libpq(text)
    except InvalidConnectionString as error:
        libpq_error = error
    try:
        entries = npgsql.parse(text)
        ado = npgsql.to_libpq(entries)
    except InvalidConnectionString as error:
        if libpq:
            return libpq
        raise (error if _looks_like_npgsql(text) else libpq_error) from None
    return libpq if libpq and len(libpq) >= len(entries) else ado


def _read_libpq(text: str) -> Mapping[str, str]:
    complaint = InvalidConnectionString(
        f"The connection string is read as libpq's ({LIBPQ_EXAMPLE}), but libpq cannot read it: use only "
        r"libpq's keywords, put a value with spaces in single quotes, and write ' as \' and \ as \\ in it."
        f" The other kinds are a URL ({URL_EXAMPLE}) and Npgsql's ({npgsql.EXAMPLE})."
    )
    try:
        parameters = _texts(conninfo_to_dict(text))
    except (psycopg.Error, UnicodeError):
        raise complaint from None
    for name, unquoted in _LIBPQ_ENTRY.findall(text):
        if name in LIBPQ_SECRETS or name == "options":
            continue
        if unquoted.endswith(";") or _SWALLOWED.search(unquoted):
            raise complaint
    return parameters


def _texts(parameters: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in parameters.items() if value is not None}


def _is_keyword(word: str) -> bool:
    return squashed(word) in KEYWORDS or squashed(word) in IGNORED or word in _libpq_keywords()


def _libpq_keywords() -> set[str]:
    return {option.keyword.decode() for option in pq.Conninfo.get_defaults()}


def _looks_like_npgsql(text: str) -> bool:
    first = _FIRST_KEYWORD.match(text)
    return ";" in text or (first is not None and first[1] not in _libpq_keywords() and _is_keyword(first[1]))


def _check_hosts(parameters: Mapping[str, str]) -> None:
    for name in ("host", "hostaddr"):
        if not all(_HOST.fullmatch(host.strip()) for host in parameters.get(name, "").split(",")):
            raise InvalidConnectionString(
                "The connection string's host is no name, address or path of a socket; the port and whatever else is "
                "there must be entries of their own."
            )


def _check_ports(parameters: Mapping[str, str]) -> None:
    for port in parameters.get("port", "").split(","):
        if port and not (re.fullmatch(r"[0-9]{1,5}", port) and 1 <= int(port) <= 65535):
            raise InvalidConnectionString(
                "The connection string's port is not a number from 1 to 65535; in a URL, that is so also "
                "when a password's “/” is not written as %2F."
            )


def _expected() -> str:
    return f"give a URL ({URL_EXAMPLE}), libpq's ({LIBPQ_EXAMPLE}) or Npgsql's ({npgsql.EXAMPLE})"
