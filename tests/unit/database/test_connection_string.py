"""Connection strings of every kind, and which kind a text is taken for."""

import random
from collections.abc import Callable
from urllib.parse import quote

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from worker.database.connection_string import InvalidConnectionString, secrets_of, to_conninfo
from worker.errors import UserError

ADO = {"host": "h", "port": "5432"}


def read(text: str) -> dict[str, str]:
    return {name: str(value) for name, value in conninfo_to_dict(to_conninfo(text)).items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://u:p@h:1/d", {"user": "u", "password": "p", "host": "h", "port": "1", "dbname": "d"}),
        ("PostgreSQL://h/d\n", {"host": "h", "dbname": "d"}),
        ("postgresql://u:a%40%2F%3B%25@h/d", {"user": "u", "password": "a@/;%", "host": "h", "dbname": "d"}),
        (
            "postgresql://a:1,b:2/d?sslmode=require",
            {"host": "a,b", "port": "1,2", "dbname": "d", "sslmode": "require"},
        ),
        ("postgresql:///d?host=/var/run/postgresql", {"host": "/var/run/postgresql", "dbname": "d"}),
        ("postgresql://[::1]:7/d", {"host": "::1", "port": "7", "dbname": "d"}),
        ("postgresql://h/d?options=-c%20a%3Dx@y", {"host": "h", "dbname": "d", "options": "-c a=x@y"}),
        ("host=h dbname=d", {"host": "h", "dbname": "d"}),
        ("  host = h\n port=5 ", {"host": "h", "port": "5"}),
        (r"host=h password='a\'b\\;c d'", {"host": "h", "password": r"a'b\;c d"}),
        ("service=shop", {"service": "shop"}),
        ("host=h", {"host": "h"}),
    ],
)
def test_urls_and_libpq_s_own(text: str, expected: dict[str, str]) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # A semicolon in a libpq password.
        ("host=x password=a;b dbname=y", {"host": "x", "password": "a;b", "dbname": "y"}),
        ("password=a;b host=x", {"host": "x", "password": "a;b"}),
        ("host=x password=a;port=1", {"host": "x", "password": "a;port=1"}),
        ("user=u password=x;host=y", {"user": "u", "password": "x;host=y"}),
        ("password='a;host=h' user=u", {"user": "u", "password": "a;host=h"}),
        (r"password=a\ b;host=h user=u", {"user": "u", "password": "a b;host=h"}),
        ("host=x dbname=y user=z", {"host": "x", "dbname": "y", "user": "z"}),
        # Npgsql's in lower case, which libpq would take for one long host.
        ("host=h;database=d", ADO | {"dbname": "d"}),
        ("host=h;port=5;user id=u", ADO | {"port": "5", "user": "u"}),
        ("host=h;", ADO),
        ("password=p;host=h", ADO | {"password": "p"}),
        ("password=a host=x;host=h;database=d", ADO | {"password": "a host=x", "dbname": "d"}),
        ("password='a b';host=h", ADO | {"password": "a b"}),
        ('password="a;b";host=h', ADO | {"password": "a;b"}),
        ("server=h", ADO),
    ],
)
def test_kinds_that_look_alike_are_told_apart(text: str, expected: dict[str, str]) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: give a URL"),
        (" ;\n", "is empty"),
        ("S3cret", "cannot read it"),
        ("jdbc:postgresql://h/d?password=S3cret", "URL of another kind"),
        ("mysql://u:S3cret@h/d", "URL of another kind"),
        ("postgres://u:S3cret@x@h/d", "more than one “@”"),
        ("postgres://u:x/S3cret@h/d", "or one after “/”.*%2F"),
        ("postgres://u:S3cret/x", "port is not a number.*%2F"),
        ("postgres://u:S3cret%@h/d", "cannot be read by libpq"),
        ("postgres://h/d?S3cret=1", "cannot be read by libpq"),
        ("postgres://h:99999/d", "from 1 to 65535"),
        ("host=h port=S3cret", "from 1 to 65535"),
        ("host=h password=a S3cret", "libpq cannot read it"),
        ("host=h password='S3cret", "libpq cannot read it"),
        ("host=h database=S3cret", "libpq cannot read it"),
        ("host=h\0 password=S3cret", "NUL"),
        ("u:S3cret@h/d?x=1", "cannot read it"),
        ("Host=h;Bogus=S3cret", "no keyword like that of entry 2"),
        ("S3cret==x=;Host=h", "no keyword like that of entry 1"),
        ('Host=h;Password="x";S3cret=1', "no keyword like that of entry 3"),
        ("Host=h;Poolling=S3cret", "entry 2; is it “pooling”"),
        ("Host=h;Password=a;S3cret=1", "entry 3.*double quotes"),
        ("Host=h;Pwd=a;Pooling=1;S3cret=1", "entry 4.*double quotes"),
        ("Host=h;Password=a;Passwort=S3cret", "entry 3; is it “password”"),
        ("host=x password=a;S3cret dbnam=y", "“host” holds another keyword"),
        ("Host=h;u:S3cret@h=1", "entry 2"),
        ("Host=h;Password S3cret=;Database=d", "entry 2"),
        ("Host=h;Password=a;S3cret", "entry 3 has no “=”.*double quotes"),
        ('Host=h;Password="S3cret', "entry 2 has no closing quote"),
        ('Host=h;Password="a"S3cret;Port=1', "entry 2 goes on after its closing quote"),
        ("Host=h;SSL Mode=S3cret", "“SSL Mode” must be one of disable, allow, prefer, require"),
        ("Host=h;Port=S3cret", "“Port” must be a whole number"),
        ("Host=h;Port=0", "from 1 to 65535"),
        ("Host=h;Timeout=1.5", "“Timeout” must be a whole number"),
        ("Host=h;Tcp Keepalive=S3cret", "“Tcp Keepalive” must be one of true, false"),
        ("Host=h:S3cret", "“Host” must be names or addresses"),
        ("Host=h,,i", "“Host” must be names or addresses"),
        ("Host=;Database=d", "it has no “Host”"),
        ("Database=d;Password=S3cret", "it has no “Host”"),
        ("Host=h Database=d Password=S3cret", "“Host” holds another keyword"),
        ("host=h;dbname=S3cret", "no keyword like that of entry 2"),
        # What libpq does not take, and Npgsql's grammar would take for a part of the value before it.
        ("host=h passwd=S3cret", "libpq cannot read it: use only libpq's keywords"),
        ("host=h\tuser=u passwd = S3cret", "libpq cannot read it"),
        ("Host=h;Username=u secret=S3cret", "“Username” holds another keyword.*double quotes"),
        ("Host=h;Database=d Password S3cret", "“Database” holds another keyword"),
        ("Host=h S3cret", "“Host” must be names or addresses"),
        ('Host="h passwd=S3cret"', "“Host” must be names or addresses"),
        ("Host=u:S3cret:5432", "host is no name, address or path"),
        # What libpq takes for a part of the value before it.
        ("host=h,passwd=S3cret", "host is no name|libpq cannot read it"),
        ("host=/run,passwd=S3cret", "libpq cannot read it"),
        ("host=/run;passwd=S3cret", "libpq cannot read it|no keyword like that of entry 2"),
        ("host=u:S3cret@h", "host is no name, address or path"),
        ("host='h passwd=S3cret'", "host is no name, address or path"),
        ("host=h user=u,passwd=S3cret", "libpq cannot read it|another keyword"),
        ("postgresql://h/d&password=S3cret", "“=” in its user or its database.*%3D"),
        ("postgresql://u;password=S3cret@h/d", "“=” in its user or its database"),
        ("postgresql://h;password=S3cret", "host is no name, address or path"),
    ],
)
def test_what_cannot_be_read_is_refused_without_quoting_it(text: str, message: str) -> None:
    with pytest.raises(InvalidConnectionString, match=message) as raised:
        to_conninfo(text)
    assert isinstance(raised.value, UserError)
    assert isinstance(raised.value, ValueError)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    assert "S3cret" not in str(raised.value)


def as_url(user: str, password: str) -> str:
    return f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@h:5432/d"


def as_libpq(user: str, password: str) -> str:
    return make_conninfo(host="h", port="5432", dbname="d", user=user, password=password)


def as_quoted_libpq(user: str, password: str) -> str:
    escaped = (value.replace("\\", "\\\\").replace("'", "\\'") for value in (password, user))
    return "password='{}' user='{}' host=h port=5432 dbname=d".format(*escaped)


def as_npgsql(quotes: str, shuffle: Callable[[list[str]], None]) -> Callable[[str, str], str]:
    def build(user: str, password: str) -> str:
        quoted = [quotes + value.replace(quotes, quotes * 2) + quotes for value in (user, password)]
        entries = ["host=h", "port=5432", "database=d", f"user id={quoted[0]}", f"password={quoted[1]}"]
        shuffle(entries)
        return ";".join(entries)

    return build


PIECES = [
    "'",
    '"',
    ";",
    " ",
    "\\",
    "=",
    "==",
    ";host=x",
    " user=y",
    ";Port=1;",
    "é",
    "价",
    "🔑",
    "@",
    "/",
    "?",
]
PIECES += ["#", "%", "%40", "&", "+", ":", "a", "Z", "1", "$", "{", "}", "\t", "\n", "''", '""', "\\'"]


@pytest.mark.parametrize("seed", range(5))
def test_passwords_survive_every_kind(seed: int) -> None:
    chance = random.Random(seed)
    kinds = [as_url, as_libpq, as_quoted_libpq, *(as_npgsql(quotes, chance.shuffle) for quotes in "\"'")]
    for _ in range(200):
        password = "".join(chance.choices(PIECES, k=chance.randint(1, 12)))
        # Outside a password, what looks like an entry of the other kind is refused.
        user = "".join(
            chance.choices([piece for piece in PIECES if ";" not in piece], k=chance.randint(1, 6))
        )
        expected = {"host": "h", "port": "5432", "dbname": "d", "user": user, "password": password}
        for kind in kinds:
            assert read(kind(user, password)) == expected, kind(user, password)


def test_a_conninfo_is_its_own_conninfo() -> None:
    text = 'Host=a:1,b;Database=d;Username=u;Password="a\';b ";Search Path=x y;SSL Mode=Require'
    assert read(to_conninfo(text)) == read(text)


def test_secrets_are_found_in_every_way_they_are_written() -> None:
    conninfo = to_conninfo('Host=h;Password="a b\'c@d";SSL Password=k&1;Username=u')
    assert secrets_of(conninfo) == sorted(
        ["a b'c@d", "a b\\'c@d", "a b''c@d", "a%20b%27c%40d", "a%20b'c%40d", "a+b%27c%40d", "k&1", "k%261"],
        key=lambda secret: (-len(secret), secret),
    )
    assert secrets_of("host=h user=u") == []
    assert secrets_of("password=plain") == ["plain"]
