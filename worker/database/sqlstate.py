"""Asks a server why it refuses a connection, in SQLSTATEs: the sentences of Postgres may be in any language."""

import ctypes
import importlib
import re
import select
import time
from typing import Final

from psycopg import pq

# psycopg's modules that are linked with libpq.
_LINKED: Final = {"binary": "psycopg_binary.pq", "c": "psycopg_c.pq"}
# PQERRORS_SQLSTATE: an error of the server's is its severity, two spaces, and the SQLSTATE.
_ONLY_SQLSTATES: Final = 3
_SQLSTATE: Final = re.compile(rb":  ([0-9A-Z]{5})\s")
_WAITS: Final[dict[int, int]] = {
    pq.PollingStatus.READING: select.POLLIN,
    pq.PollingStatus.WRITING: select.POLLOUT,
}


def refusals(conninfo: str, seconds: float) -> set[str]:
    """Try to connect once more, for `seconds` at most, and return the SQLSTATEs with which the server refuses.

    Empty where the connection succeeds or no server answers, and where psycopg finds its libpq by itself.
    """
    if (module := _LINKED.get(pq.__impl__)) is None:
        return set()
    libpq = ctypes.CDLL(importlib.import_module(module).__file__)
    connection = pq.PGconn.connect_start(conninfo.encode())
    try:
        # psycopg has no method for this, without which libpq keeps the SQLSTATE of a refused connection for itself.
        pointer: int = connection.pgconn_ptr  # type: ignore[attr-defined]
        libpq.PQsetErrorVerbosity(ctypes.c_void_p(pointer), _ONLY_SQLSTATES)
        _wait(connection, time.monotonic() + seconds)
        return {found.decode() for found in _SQLSTATE.findall(connection.error_message + b"\n")}
    finally:
        connection.finish()


def _wait(connection: pq.abc.PGconn, deadline: float) -> None:
    while connection.status != pq.ConnStatus.BAD and (event := _WAITS.get(connection.connect_poll())):
        poll = select.poll()
        poll.register(connection.socket, event)
        if not poll.poll(1000 * max(deadline - time.monotonic(), 0)):
            return
