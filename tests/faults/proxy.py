"""A TCP proxy before Postgres that simulates network faults: cut, refused and silent connections."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.support.waiting import DEADLINE

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards between clients and the server of `conninfo`, until a fault is set.

    Methods can be called from any thread, and have taken effect when they return.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        # A bound socket that never listens reserves the port while connections are refused.
        self._holder = socket.socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holder.bind(("127.0.0.1", 0))
        self._server: asyncio.Server | None = None
        self._clients: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}
        self._speaks = asyncio.Event()
        self._last_words: tuple[bytes, ...] = ()

    @property
    def url(self) -> str:
        """The connection string through the proxy."""
        return make_conninfo(self._conninfo, host="127.0.0.1", port=self._holder.getsockname()[1])

    def resume(self) -> None:
        """Accept and forward again; data held back during a silence arrives now."""
        self._call(self._resume())

    def silence(self) -> None:
        """Keep all connections, accept new ones, and forward nothing in either direction."""
        self._call(self._silence())

    def reset(self) -> None:
        """Cut every connection with a RST; serve new ones."""
        self._call(self._reset())

    def refuse(self) -> None:
        """Cut every connection, and refuse new ones."""
        self._call(self._refuse())

    def lose_answer(self, *words: bytes) -> None:
        """Cut every connection once, after a client has sent all of these words in this order: the server receives
        them, and its answer is lost."""
        self._call(self._lose_answer(words))

    def __enter__(self) -> Self:
        self._thread.start()
        self.resume()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)
        self._loop.close()
        self._holder.close()

    def _call(self, change: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(change, self._loop).result(DEADLINE)

    async def _resume(self) -> None:
        if self._server is None:
            port = self._holder.getsockname()[1]
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, reuse_address=True)
        self._speaks.set()

    async def _silence(self) -> None:
        self._speaks.clear()

    async def _reset(self) -> None:
        for writer in self._clients.values():
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE
                )
            writer.transport.abort()

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._reset()

    async def _lose_answer(self, words: tuple[bytes, ...]) -> None:
        self._last_words = words

    async def _end(self) -> None:
        await self._refuse()
        for task in list(self._clients):
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._clients[task] = writer
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._speaks.wait()
                await self._forward(reader, writer)
        finally:
            del self._clients[task]
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = conninfo_to_dict(self._conninfo)
        host, port = server.get("host") or "127.0.0.1", server.get("port") or 5432
        from_server, to_server = await asyncio.open_connection(str(host), int(port))
        pumps = {
            asyncio.create_task(self._pump(reader, to_server, is_client=True)),
            asyncio.create_task(self._pump(from_server, writer)),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            to_server.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_client: bool = False
    ) -> None:
        data, sent = b"?", 0
        while data:
            data = await reader.read(1 << 16)
            # During a silence, the end of a connection is not forwarded either.
            await self._speaks.wait()
            writer.write(data)
            if is_client and self._last_words and self._last_words[sent] in data:
                sent += 1
                if sent == len(self._last_words):
                    self._last_words = ()
                    await self._reset()
            await writer.drain()
