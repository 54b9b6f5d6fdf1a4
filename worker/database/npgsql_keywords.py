"""The table of Npgsql's keywords: the libpq keyword for each, and the conversion of its value."""

import re
from collections.abc import Callable

Convert = Callable[[str], str]


def squashed(keyword: str) -> str:
    """A keyword in lower case without spaces and underscores, which Npgsql ignores."""
    return re.sub(r"[\s_]", "", keyword).lower()


def _text(value: str) -> str:
    return value


def _number(value: str) -> str:
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise ValueError("must be a whole number")
    return value


def _milliseconds(value: str) -> str:
    return str(-(-int(_number(value)) // 1000))


def _one_of(**choices: str) -> Convert:
    """Map Npgsql's spelling in lower case to libpq's; ignores hyphens, underscores and spaces."""

    def convert(value: str) -> str:
        if (found := choices.get(re.sub(r"[\s_-]", "", value).lower())) is None:
            raise ValueError(f"must be one of {', '.join(dict.fromkeys(choices))}")
        return found

    return convert


def _methods(value: str) -> str:
    return value.lower().replace("scramsha256", "scram-sha-256").replace(" ", "")


_flag = _one_of(true="1", false="0", yes="1", no="0")
_ssl_modes = _one_of(
    disable="disable",
    allow="allow",
    prefer="prefer",
    require="require",
    verifyca="verify-ca",
    verifyfull="verify-full",
)
_session_kinds = _one_of(
    any="any",
    primary="primary",
    standby="standby",
    preferprimary="primary",
    preferstandby="prefer-standby",
    readwrite="read-write",
    readonly="read-only",
)
_wanted = _one_of(disable="disable", prefer="prefer", require="require")
_negotiations = _one_of(postgres="postgres", direct="direct")

# `squashed` keyword -> libpq's keyword and the conversion of the value.
# A name that begins with a dot is not a libpq keyword: npgsql.py combines it with other entries.
KEYWORDS: dict[str, tuple[str, Convert]] = {
    **dict.fromkeys(("host", "server", "datasource"), (".hosts", _text)),
    "port": (".port", _number),
    **dict.fromkeys(("database", "db"), ("dbname", _text)),
    **dict.fromkeys(("username", "user", "userid", "uid"), ("user", _text)),
    **dict.fromkeys(("password", "psw", "pwd"), ("password", _text)),
    "passfile": ("passfile", _text),
    "sslmode": ("sslmode", _ssl_modes),
    "ssl": (".ssl", _flag),
    "trustservercertificate": (".trust", _flag),
    "sslnegotiation": ("sslnegotiation", _negotiations),
    **dict.fromkeys(("sslcertificate", "clientcertificate"), ("sslcert", _text)),
    **dict.fromkeys(("sslkey", "clientcertificatekey"), ("sslkey", _text)),
    "sslpassword": ("sslpassword", _text),
    "rootcertificate": ("sslrootcert", _text),
    "channelbinding": ("channel_binding", _wanted),
    "requireauth": ("require_auth", _methods),
    "gssencryptionmode": ("gssencmode", _wanted),
    **dict.fromkeys(("kerberosservicename", "krbsrvname"), ("krbsrvname", _text)),
    "timeout": ("connect_timeout", _number),
    "keepalive": ("keepalives_idle", _number),
    "tcpkeepalive": ("keepalives", _flag),
    "tcpkeepalivetime": ("keepalives_idle", _milliseconds),
    "tcpkeepaliveinterval": ("keepalives_interval", _milliseconds),
    "targetsessionattributes": ("target_session_attrs", _session_kinds),
    "applicationname": ("application_name", _text),
    **dict.fromkeys(("clientencoding", "encoding"), ("client_encoding", _text)),
    "options": (".options", _text),
    "searchpath": (".search_path", _text),
    "timezone": (".TimeZone", _text),
}

IGNORED_NAMES = """
    Array Nullability Mode, Auto Prepare Min Usages, Backend Timeouts, Buffer Size, Cancellation Timeout,
    Check Certificate Revocation, Command Timeout, Compatible, Connection Idle Lifetime,
    Connection Lifetime, Connection Pruning Interval, Continuous Processing, Convert Infinity DateTime,
    EF Admin Database, EF Template Database, Enlist, Entity Admin Database, Entity Template Database,
    Host Recheck Seconds, Include Error Detail, Include Error Details, Include Failed Batched Command,
    Include Realm, Integrated Security, Internal Command Timeout, Load Balance Hosts,
    Load Table Composites, Log Parameters, Max Auto Prepare, Max Pool Size, Maximum Pool Size,
    Min Pool Size, Minimum Pool Size, Multiplexing, No Reset On Close, Persist Prepared,
    Persist Security Info, Pooling, Preload Reader, Protocol, Read Buffer Size, Replication Mode,
    Server Compatibility Mode, Socket Receive Buffer Size, Socket Send Buffer Size, Sync Notification,
    Use Extended Types, Use Perf Counters, Use SSL Stream, Write Buffer Size,
    Write Coalescing Buffer Threshold Bytes, Write Coalescing Delay Us
"""
IGNORED = frozenset(squashed(name) for name in IGNORED_NAMES.split(","))
