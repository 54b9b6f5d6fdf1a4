"""A TCP proxy before Postgres that can do what networks do: cut, refuse, and fall silent."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass
class Proxy:
    """Between a client and the server of `conninfo`; forwards until told otherwise.

    Its methods may be called from any thread, and have taken effect when they return.
    """

    conninfo: str
    port: int = field(default=0, init=False)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop, init=False)
    _server: asyncio.Server | None = field(default=None, init=False)
    _clients: set[asyncio.StreamWriter] = field(default_factory=set, init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    _speaks: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    @property
    def url(self) -> str:
        """The connection string that leads through the proxy."""
        return make_conninfo(self.conninfo, host="127.0.0.1", port=self.port)

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._clients)

    def resume(self) -> None:
        """Accept and forward; what was held back while it was silent arrives now."""
        self._call(self._resume)

    def silence(self) -> None:
        """Keep all connections, accept new ones, and forward nothing either way."""
        self._call(self._silence)

    def reset(self) -> None:
        """Cut every connection with a RST; new ones are served."""
        self._call(self._reset)

    def refuse(self) -> None:
        """Cut every connection, and refuse new ones."""
        self._call(self._refuse)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        # Bound but never listening, it keeps the port ours while connections are refused.
        self._holder = socket.socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holder.bind(("127.0.0.1", 0))
        self.port = self._holder.getsockname()[1]
        self.resume()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._refuse)
        self._call(self._cancel)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._holder.close()

    def _call(self, change: Callable[[], object]) -> None:
        async def run() -> None:
            result = change()
            if asyncio.iscoroutine(result):
                await result

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    async def _resume(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, reuse_address=True)
        self._speaks.set()

    def _silence(self) -> None:
        self._speaks.clear()

    def _reset(self) -> None:
        for writer in self._clients:
            with contextlib.suppress(OSError):
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            writer.transport.abort()

    def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self._reset()

    async def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self._clients.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._speaks.wait()
                await self._forward(reader, writer)
        finally:
            self._clients.discard(writer)
            self._tasks.discard(task)
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = conninfo_to_dict(self.conninfo)
        host, port = str(server.get("host", "127.0.0.1")), int(server.get("port") or 5432)
        server_reader, server_writer = await asyncio.open_connection(host, port)
        pumps = {
            asyncio.create_task(self._pump(reader, server_writer)),
            asyncio.create_task(self._pump(server_reader, writer)),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            server_writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            await self._speaks.wait()
            writer.write(data)
            await writer.drain()
