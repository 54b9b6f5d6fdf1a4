"""The first connection of a process: settings that no waiting would mend end it, an outage is waited for."""

import asyncio
import socket
import time
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import ConnectionTimeout

from worker.database.sqlstate import refusals
from worker.errors import UserError

# invalid_password, invalid_authorization_specification, invalid_catalog_name.
WRONG: Final = {"28P01", "28000", "3D000"}
# How long a name server may be away at a start, such as that of a machine or a container network.
PATIENCE_SECONDS: Final = 10.0


class DatabaseUnusable(UserError):
    """The database cannot be used; the message has the cause."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"the database cannot be used: {cause_of(error)}")


def cause_of(error: BaseException) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split()) or f"no answer in time ({type(error).__name__})"


class FirstConnection:
    """Connects once to see whether that is possible; `seconds` is the limit for each try."""

    def __init__(self, conninfo: str, seconds: float) -> None:
        self._conninfo = conninfo
        self._seconds = seconds
        self._began = time.monotonic()

    async def open(self) -> None:
        """Raise DatabaseUnusable for a user, password, database or host that is wrong; psycopg.OperationalError or
        TimeoutError for an outage."""
        try:
            async with asyncio.timeout(self._seconds):
                await (await psycopg.AsyncConnection.connect(self._conninfo)).close()
        except UnicodeError as error:
            # Of a host's name that no name server could be asked for.
            raise DatabaseUnusable(error) from None
        except ConnectionTimeout:
            raise
        except psycopg.OperationalError as error:
            if not await self._has_host() or await asyncio.to_thread(self._refusals) & WRONG:
                raise DatabaseUnusable(error) from None
            raise

    def _refusals(self) -> set[str]:
        return refusals(self._conninfo, self._seconds)

    async def _has_host(self) -> bool:
        """Whether one of the hosts' names resolves, or may do so in a moment."""
        parameters = conninfo_to_dict(self._conninfo)
        hosts = [] if parameters.get("hostaddr") else str(parameters.get("host") or "").split(",")
        results = [await self._resolves(host) for host in hosts]
        return any(results) or not results

    async def _resolves(self, host: str) -> bool:
        if not host or host.startswith(("/", "@")):
            return True
        try:
            await asyncio.get_running_loop().getaddrinfo(host, None)
        except socket.gaierror as error:
            waits = time.monotonic() - self._began < PATIENCE_SECONDS
            return error.errno == socket.EAI_AGAIN and waits
        return True
