"""Converts Npgsql (ADO.NET) connection strings to libpq parameters."""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from worker.database.npgsql_keywords import IGNORED, KEYWORDS, squashed
from worker.errors import UserError

EXAMPLE = 'Host=…;Port=5432;Database=…;Username=…;Password="…"'
LIBPQ_SECRETS = frozenset(("password", "sslpassword"))

_GAP = re.compile(r"[\s;]*")
_KEYWORD = re.compile(r"((?:[^=;]|==)+?)\s*=(?!=)\s*")
_VALUE = re.compile(r""" "((?:[^"]|"")*+)" | '((?:[^']|'')*+)' | ((?!["'])[^;]*) """, re.VERBOSE)
_END = re.compile(r"\s*(?:;|$)")
_HOST = re.compile(
    r"\[(?P<v6>[^\]]+)\](?::(?P<v6_port>[0-9]+))?|(?P<name>[^\s:\[\]=]+)(?::(?P<port>[0-9]+))?"
)
_PASSWORD_LIKE = re.compile(r"pass|pwd|psw", re.IGNORECASE)
# What may be another keyword, known or not, with a password after it.
_SWALLOWED = re.compile(r"=|\s\w*(?:pass|pwd|psw)", re.IGNORECASE)


class InvalidConnectionString(UserError, ValueError):
    """A connection string that cannot be used; the message quotes none of its values."""


@dataclass(frozen=True)
class Entry:
    """One `keyword=value`: the keyword as written, the value without its quotes, `number` from 1."""

    number: int
    keyword: str
    value: str
    quoted: bool


def parse(text: str) -> list[Entry]:
    """Split an ADO.NET connection string. Raises InvalidConnectionString."""
    return list(_entries(text))


def to_libpq(entries: list[Entry]) -> dict[str, str]:
    """Return the libpq parameters for Npgsql's entries; of several entries for a parameter, the last one wins.

    Raises InvalidConnectionString for an unknown keyword, an invalid value or a missing host.
    """
    found: dict[str, str] = {}
    for index, entry in enumerate(entries):
        keyword = squashed(entry.keyword)
        if keyword in IGNORED:
            continue
        if keyword not in KEYWORDS:
            raise _invalid(_unknown(entry, entries[:index]))
        name, convert = KEYWORDS[keyword]
        if not entry.value:
            found.pop(name, None)
            continue
        _refuse_swallowed(entry, name)
        try:
            found[name] = convert(entry.value)
        except ValueError as error:
            raise _invalid(f"“{entry.keyword}” {error}") from None
    return _assembled(found)


def _entries(text: str) -> Iterator[Entry]:
    number = position = 0
    while (position := _end(_GAP.match(text, position))) < len(text):
        number += 1
        keyword = _KEYWORD.match(text, position)
        if keyword is None:
            raise _invalid(f"entry {number} has no “=”; a value that holds “;” must be put in double quotes")
        value = _VALUE.match(text, keyword.end())
        if value is None:
            raise _invalid(
                f"the value of entry {number} has no closing quote; inside quotes, write the quote twice"
            )
        end = _END.match(text, value.end())
        if end is None:
            raise _invalid(
                f"entry {number} goes on after its closing quote; inside quotes, write the quote twice"
            )
        doubled, single, plain = value.groups()
        if plain is None:
            unquoted = single.replace("''", "'") if doubled is None else doubled.replace('""', '"')
        else:
            unquoted = plain.rstrip()
        yield Entry(number, keyword[1].strip().replace("==", "="), unquoted, plain is None)
        position = end.end()


def _end(match: re.Match[str] | None) -> int:
    assert match is not None
    return match.end()


def _assembled(found: dict[str, str]) -> dict[str, str]:
    hosts, port = found.pop(".hosts", None), found.pop(".port", "5432")
    if hosts is None:
        raise _invalid("it has no “Host”")
    found["host"], found["port"] = _hosts_and_ports(hosts, port)
    if ssl := found.pop(".ssl", None):
        found.setdefault("sslmode", "require" if ssl == "1" else "disable")
    # libpq verifies the server whenever it has a root certificate, even with sslmode=require.
    if found.pop(".trust", "0") == "1" and not found.get("sslmode", "").startswith("verify"):
        found.pop("sslrootcert", None)
    # Npgsql's default is off, so that “off” there does not mean that keepalives are unwanted.
    if found.get("keepalives") == "0":
        del found["keepalives"]
    options = [found.pop(".options", "")]
    for name in (".search_path", ".TimeZone"):
        if name in found:
            options.append(f"-c{name[1:]}=" + re.sub(r"([\\\s])", r"\\\1", found.pop(name)))
    if any(options):
        found["options"] = " ".join(filter(None, options))
    return found


def _hosts_and_ports(text: str, default_port: str) -> tuple[str, str]:
    hosts, ports = [], []
    for part in (part.strip() for part in text.split(",")):
        if part.startswith("/") or (part.count(":") > 1 and "[" not in part):
            hosts.append(part)
            ports.append(default_port)
        elif match := _HOST.fullmatch(part):
            hosts.append(match["v6"] or match["name"])
            ports.append(match["v6_port"] or match["port"] or default_port)
        else:
            raise _invalid(
                "“Host” must be names or addresses, each with “:” and a port or without, between commas"
            )
    return ",".join(hosts), ",".join(ports)


def _refuse_swallowed(entry: Entry, name: str) -> None:
    if entry.quoted or name in LIBPQ_SECRETS or name == ".options":
        return
    if _SWALLOWED.search(entry.value):
        raise _invalid(
            f"the value of “{entry.keyword}” holds another keyword; put “;” between them, or the value in "
            "double quotes"
        )


def _unknown(entry: Entry, before: Iterable[Entry]) -> str:
    """The error text for an unknown keyword, which is not quoted: it may be part of a password."""
    close = difflib.get_close_matches(squashed(entry.keyword), (*KEYWORDS, *IGNORED), n=1, cutoff=0.8)
    hint = f"; is it “{close[0]}”?" if close else ""
    if any(not other.quoted and _PASSWORD_LIKE.search(other.keyword + other.value) for other in before):
        hint += "; if it belongs to the password before it, put the password in double quotes"
    return f"Npgsql has no keyword like that of entry {entry.number}{hint}"


def _invalid(what: str) -> InvalidConnectionString:
    return InvalidConnectionString(f"The connection string is read as Npgsql's ({EXAMPLE}), but {what}.")
