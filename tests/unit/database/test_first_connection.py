"""What is told from an outage without a server: names of hosts, and where nobody answers."""

import socket

import psycopg
import pytest

from worker.database import first_connection
from worker.database.first_connection import DatabaseUnusable, FirstConnection
from worker.database.sqlstate import refusals


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "no-such-host.invalid,other.invalid"])
async def test_a_host_that_does_not_resolve_is_refused(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The name server of a machine without a network may not answer at all.
    monkeypatch.setattr(first_connection, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(DatabaseUnusable, match=r"the database cannot be used: .*(resolve|idna)"):
        await FirstConnection(f"host={host} connect_timeout=5", 5).open()


async def test_a_name_server_that_is_away_is_waited_for_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr("socket.getaddrinfo", away)
    first = FirstConnection("host=db", 5)
    with pytest.raises(psycopg.OperationalError, match="Temporary failure"):
        await first.open()
    monkeypatch.setattr(first_connection, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(DatabaseUnusable, match="Temporary failure"):
        await first.open()


async def test_a_port_that_nobody_listens_on_is_an_outage() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        conninfo = f"host=127.0.0.1 port={reserved.getsockname()[1]}"
        assert refusals(conninfo, 5) == set()
        with pytest.raises(psycopg.OperationalError, match="refused"):
            await FirstConnection(conninfo, 5).open()
