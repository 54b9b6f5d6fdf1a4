"""A temporary Postgres 16 on this machine, for the demo and the tests."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from demo.postgres_programs import PostgresPrograms, PostgresStartError, installed_postgres

__all__ = ["EmbeddedPostgres", "PostgresStartError"]

START_SECONDS = 30.0
PORT_ATTEMPTS = 5
LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.65535")

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "32MB",
    # Data outlives a killed server without it; a page that SIGKILL cuts in two does not without full_page_writes.
    "fsync": "off",
    # So that a killed server leaves nothing in /dev/shm.
    "dynamic_shared_memory_type": "mmap",
}


class _PortTakenError(PostgresStartError):
    pass


@dataclass
class EmbeddedPostgres:
    """A private server with one superuser, `worker`; `stop()` removes its data.

    Start it from a thread that outlives it: the kernel stops the server when that thread ends.
    """

    install: Path = field(default_factory=installed_postgres)
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    port: int = field(default=0, init=False)
    _programs: PostgresPrograms | None = field(default=None, init=False, repr=False)
    _server: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    def start(self) -> None:
        """Create an empty server and wait until it answers; after `kill()`, start it again with its data.

        Raises PostgresStartError.
        """
        if self._server is not None and self._server.poll() is None:
            return
        try:
            if self._programs is not None:
                self._launch(self._programs)
            else:
                folder = Path(tempfile.mkdtemp(prefix="pg-", dir=_temporary_folder()))
                self._create(folder)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and remove its data; does nothing when it is not running."""
        self._shut_down()
        if self._programs is not None:
            shutil.rmtree(self._programs.folder, ignore_errors=True)
            self._programs = None

    def restart(self) -> None:
        """Stop the server and start it on the same port and data. Raises PostgresStartError."""
        self._shut_down()
        self.start()

    def kill(self) -> None:
        """Kill the server as a crash would; `restart()` brings it back with its data."""
        if self._server is None or self._server.poll() is not None:
            return
        # A suspended server cannot start further backends, so that the list is complete.
        self._server.send_signal(signal.SIGSTOP)
        backends = psutil.Process(self._server.pid).children(recursive=True)
        self._server.kill()
        self._server.wait()
        # A new server refuses to start while backends of the old one run.
        patience = time.monotonic() + 5
        while backends := [backend for backend in backends if _lives(backend)]:
            for backend in backends if time.monotonic() > patience else ():
                with contextlib.suppress(psutil.NoSuchProcess):
                    backend.kill()
            time.sleep(0.02)

    def url(self, database: str = "postgres") -> str:
        """The connection string of one of its databases."""
        return f"postgresql://worker:{self.password}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    def create_database(self, name: str) -> str:
        """Create an empty database and return its connection string. Raises psycopg.Error."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    @property
    def folder(self) -> Path:
        """The private folder with its data, log and socket. Raises PostgresStartError before `start()`."""
        if self._programs is None:
            raise PostgresStartError("This Postgres has no folder yet: call start() first.")
        return self._programs.folder

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _create(self, folder: Path) -> None:
        try:
            programs = PostgresPrograms.prepare(self.install, folder)
            self._initialise(programs)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._programs = programs
        for attempt in range(PORT_ATTEMPTS):
            self.port = _free_port()
            try:
                self._launch(programs)
            except _PortTakenError:
                if attempt == PORT_ATTEMPTS - 1:
                    raise
            else:
                return

    def _initialise(self, programs: PostgresPrograms) -> None:
        password = programs.folder / "password"
        password.touch(mode=0o600)
        password.write_text(self.password)
        programs.own(password)
        where = [f"--pgdata={programs.folder / 'data'}", "--encoding=UTF8", "--locale=C", "--no-sync"]
        who = [
            "--username=worker",
            f"--pwfile={password}",
            "--auth-host=scram-sha-256",
            "--auth-local=scram-sha-256",
        ]
        code = programs.spawn("initdb", *where, *who).wait()
        password.unlink()
        if code != 0:
            raise PostgresStartError(
                f"initdb ended with code {code} in {programs.folder}.{programs.log_tail()}"
            )

    def _launch(self, programs: PostgresPrograms) -> None:
        settings = SETTINGS | {"port": str(self.port), "unix_socket_directories": str(programs.folder)}
        log_start = programs.log.stat().st_size
        options = [f"--{name}={value}" for name, value in settings.items()]
        server = self._server = programs.spawn("postgres", "-D", str(programs.folder / "data"), *options)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if (code := server.poll()) is not None:
                if b"could not bind" in programs.log.read_bytes()[log_start:]:
                    raise _PortTakenError(
                        f"Port {self.port} on 127.0.0.1 was taken by another program: try again."
                    )
                raise PostgresStartError(
                    f"Postgres ended with code {code} while starting.{programs.log_tail()}"
                )
            with contextlib.suppress(psycopg.OperationalError):
                return psycopg.connect(self.url(), connect_timeout=2).close()
            time.sleep(0.03)
        raise PostgresStartError(
            f"Postgres did not answer within {START_SECONDS:.0f} s.{programs.log_tail()}"
        )

    def _shut_down(self) -> None:
        if self._server is None:
            return
        for how, patience in ((signal.SIGINT, 15), (signal.SIGQUIT, 5)):
            if self._server.poll() is None:
                self._server.send_signal(how)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._server.wait(patience)
        self.kill()
        self._server = None


def _temporary_folder() -> Path:
    """The usual temporary folder, or /tmp where its path is too long for a socket or closed to other users."""
    folder = Path(tempfile.gettempdir()).resolve()
    fits = len(os.fsencode(folder / "pg-12345678")) <= LONGEST_SOCKET_FOLDER
    open_to_all = os.geteuid() != 0 or all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents))
    return folder if fits and open_to_all else Path("/tmp")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
