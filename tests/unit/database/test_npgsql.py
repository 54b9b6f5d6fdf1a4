"""Every keyword of Npgsql's connection strings, and how ADO.NET quotes."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from worker.database.connection_string import to_conninfo

ADO = {"host": "h", "port": "5432"}


def read(text: str) -> dict[str, str]:
    return {name: str(value) for name, value in conninfo_to_dict(to_conninfo(text)).items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Host=h", {}),
        ("Server=h", {}),
        ("Data Source=h", {}),
        ("Host=other;Server=h", {}),
        (" ; Host = h ;; Port\t=\n9 ; ", {"port": "9"}),
        *((f"Host=h;{key}=d", {"dbname": "d"}) for key in ("Database", "DB", "database", "DATA_BASE")),
        *(
            (f"Host=h;{key}=u", {"user": "u"})
            for key in (
                "Username",
                "User Name",
                "UserName",
                "User ID",
                "UserID",
                "UserId",
                "UID",
                "User",
                "user_id",
            )
        ),
        *((f"Host=h;{key}=p", {"password": "p"}) for key in ("Password", "PSW", "PWD", "pass word")),
        *(
            (f"Host=h;SSL Mode={value}", {"sslmode": expected})
            for value, expected in [
                ("Disable", "disable"),
                ("Allow", "allow"),
                ("prefer", "prefer"),
                ("Require", "require"),
                ("VerifyCA", "verify-ca"),
                ("VerifyCa", "verify-ca"),
                ("verify-ca", "verify-ca"),
                ("VerifyFull", "verify-full"),
                ("verify-full", "verify-full"),
            ]
        ),
        ("Host=h;SslMode=Require", {"sslmode": "require"}),
        ("Host=h;SSL=true", {"sslmode": "require"}),
        ("Host=h;SSL=False", {"sslmode": "disable"}),
        ("Host=h;SSL=true;SSL Mode=VerifyFull", {"sslmode": "verify-full"}),
        ("Host=h;SSL Mode=VerifyFull;SSL=true", {"sslmode": "verify-full"}),
        (
            "Host=h;SSL Certificate=/c;SSL Key=/k;SSL Password=s;Root Certificate=/r",
            {"sslcert": "/c", "sslkey": "/k", "sslpassword": "s", "sslrootcert": "/r"},
        ),
        ("Host=h;Client Certificate=/c;Client Certificate Key=/k", {"sslcert": "/c", "sslkey": "/k"}),
        (
            "Host=h;SSL Mode=Require;Root Certificate=/r;Trust Server Certificate=true",
            {"sslmode": "require"},
        ),
        (
            "Host=h;SSL Mode=VerifyCA;Root Certificate=/r;Trust Server Certificate=true",
            {"sslmode": "verify-ca", "sslrootcert": "/r"},
        ),
        ("Host=h;Trust Server Certificate=false;Root Certificate=/r", {"sslrootcert": "/r"}),
        (
            "Host=h;SSL Negotiation=Direct;SSL Mode=Require",
            {"sslnegotiation": "direct", "sslmode": "require"},
        ),
        ("Host=h;Channel Binding=Require", {"channel_binding": "require"}),
        ("Host=h;Require Auth=ScramSHA256, MD5", {"require_auth": "scram-sha-256,md5"}),
        ("Host=h;GSS Encryption Mode=Disable", {"gssencmode": "disable"}),
        ("Host=h;Kerberos Service Name=k", {"krbsrvname": "k"}),
        ("Host=h;Timeout=7", {"connect_timeout": "7"}),
        ("Host=h;Application Name=the shop", {"application_name": "the shop"}),
        ("Host=h;Passfile=/p", {"passfile": "/p"}),
        ("Host=h;Client Encoding=UTF8", {"client_encoding": "UTF8"}),
        ("Host=h;Encoding=UTF8", {"client_encoding": "UTF8"}),
        ("Host=h;Keepalive=30", {"keepalives_idle": "30"}),
        (
            "Host=h;Tcp Keepalive=true;Tcp Keepalive Time=1500;Tcp Keepalive Interval=1000",
            {"keepalives": "1", "keepalives_idle": "2", "keepalives_interval": "1"},
        ),
        ("Host=h;Tcp Keepalive=false", {}),
        *(
            (f"Host=h;Target Session Attributes={value}", {"target_session_attrs": expected})
            for value, expected in [
                ("any", "any"),
                ("Primary", "primary"),
                ("prefer-standby", "prefer-standby"),
                ("PreferStandby", "prefer-standby"),
                ("prefer-primary", "primary"),
                ("read-write", "read-write"),
                ("ReadOnly", "read-only"),
            ]
        ),
        ("Host=h;Search Path=shop,public", {"options": "-csearch_path=shop,public"}),
        ("Host=h;Timezone=Europe/Berlin", {"options": "-cTimeZone=Europe/Berlin"}),
        (
            r"Host=h;Search Path=a b\c;Options='-c geqo=off'",
            {"options": r"-c geqo=off -csearch_path=a\ b\\c"},
        ),
        # Values and keys as ADO.NET quotes them.
        ('Host=h;Password="a;b"', {"password": "a;b"}),
        ("Host=h;Password='a;\"b'", {"password": 'a;"b'}),
        ('Host=h;Password="a""b" ; Port=9', {"password": 'a"b', "port": "9"}),
        ("Host=h;Password='it''s'", {"password": "it's"}),
        ("Host=h;Password=a=b==", {"password": "a=b=="}),
        ("Host=h;Password=a'b\"c", {"password": "a'b\"c"}),
        ("Host=h;Password= a b ;Port=9", {"password": "a b", "port": "9"}),
        ("Host=h;Password=one;PWD=two", {"password": "two"}),
        ("Host=h;Password=one;Password=", {}),
        ("Host=h;Database=;Port=", {}),
        # Hosts.
        ("Host=a:5433,b", {"host": "a,b", "port": "5433,5432"}),
        ("Host=a:5433, b ;Port=9", {"host": "a,b", "port": "5433,9"}),
        ("Host=/var/run/postgresql;Port=9", {"host": "/var/run/postgresql", "port": "9"}),
        (
            "Host=[::1]:7,[fe80::2],::3,10.0.0.1",
            {"host": "::1,fe80::2,::3,10.0.0.1", "port": "7,5432,5432,5432"},
        ),
    ],
)
def test_npgsql_s(text: str, expected: dict[str, str]) -> None:
    assert read(text) == ADO | expected


def test_what_libpq_has_no_use_for_is_ignored() -> None:
    ignored = (
        "Pooling=true;Minimum Pool Size=1;MinPoolSize=1;Maximum Pool Size=9;MaxPoolSize=9;Command Timeout=30;"
        "Include Error Detail=true;Multiplexing=false;Enlist=true;No Reset On Close=true;Max Auto Prepare=10;"
        "Auto Prepare Min Usages=2;Connection Idle Lifetime=300;Connection Pruning Interval=10;ConnectionLifetime=0;"
        "Read Buffer Size=8192;Write Buffer Size=8192;Socket Receive Buffer Size=1;Socket Send Buffer Size=1;"
        "Load Balance Hosts=true;Host Recheck Seconds=10;Log Parameters=false;Array Nullability Mode=Never;"
        "Persist Security Info=true;Check Certificate Revocation=true;Integrated Security=true;Include Realm=true;"
        "Internal Command Timeout=-1;Cancellation Timeout=2000;Use Perf Counters=true;Load Table Composites=true;"
        "EF Template Database=t;EF Admin Database=a;Server Compatibility Mode=None;Convert Infinity DateTime=true;"
        "Include Failed Batched Command=true;Write Coalescing Buffer Threshold Bytes=1000;Use SSL Stream=true"
    )
    assert read(f"Host=h;{ignored}") == ADO
    for entry in ignored.split(";"):
        assert read(f"{entry};host=h") == ADO
