"""One Postgres for all sides, and the workers' processes on its databases."""

import itertools
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.rows import class_row, scalar_row

from bench.queue.side import Connection, Job, Setup, Side, Times
from demo.embedded_postgres import EmbeddedPostgres
from worker.database.sql import load_queries

QUERIES = load_queries(Path(__file__).with_suffix(".sql"))
POLL_SECONDS = 0.01
START_SECONDS = 60
SUPERVISOR = 'pause=$1; shift; while kill -0 "$PPID"; do "$@"; sleep "$pause"; done'

numbers = itertools.count()


class TooSlow(RuntimeError):
    """A condition did not become true in time."""


@dataclass(frozen=True)
class Updates:
    """Row updates in all tables of a database, those of them that changed no index (HOT), and the dead rows left."""

    updates: int
    light: int
    dead: int


@dataclass(frozen=True)
class Server:
    """A Postgres that records commit times; creates each side's tables once, then copies them."""

    postgres: EmbeddedPostgres
    folder: Path

    def configure(self) -> None:
        """Have the server record commit times and, in its log, the name of each program."""
        with self.connect(self.postgres.url()) as connection:
            connection.execute(QUERIES["keep_commit_times"])
            connection.execute(QUERIES["name_programs"])
        self.postgres.restart()

    def connect(self, database: str) -> Connection:
        return psycopg.connect(database, autocommit=True)

    def template(self, side: Side, finished: int = 0, future: int = 0) -> str:
        """Create a database with the side's tables and these jobs, and return its name."""
        name = f"template_{next(numbers)}"
        database = self.postgres.create_database(name)
        side.install(database)
        if finished or future:
            with self.connect(database) as connection:
                side.fill(connection, finished, future)
                connection.execute(QUERIES["vacuum"])
        return name

    def statements(self, name: str) -> int:
        """The number of statements in the server's log that the program with this name has sent."""
        mark = re.compile(rb"^" + re.escape(name.encode()) + rb"\|LOG:  (statement|execute )", re.MULTILINE)
        return len(mark.findall((self.postgres.folder / "server.log").read_bytes()))

    def copy(self, template: str) -> str:
        """Copy the database `template`, and return the copy's connection string."""
        name = f"bench_{next(numbers)}"
        with self.connect(self.postgres.url()) as connection:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return self.postgres.url(name)

    @contextmanager
    def worker(
        self, lane: "Lane", seconds: float = 0, restart_after: float | None = None
    ) -> Iterator["WorkerProcess"]:
        """Start a worker on a lane, whose jobs take `seconds`; kill it on leaving.

        With `restart_after`, a supervisor restarts the worker that many seconds after it exits.
        """
        name = f"worker-{next(numbers)}"
        folder = self.folder / f"{name}-{lane.side.name}"
        folder.mkdir()
        environment: Mapping[str, str] = {
            **os.environ,
            **lane.side.environment(lane.setup, lane.database, folder, seconds),
            "PGAPPNAME": name,
            "PGQUEUER_APPLICATION_NAME": name,
        }
        command = lane.side.command(lane.setup)
        if restart_after is not None:
            command = ["sh", "-c", SUPERVISOR, "supervisor", str(restart_after), *command]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        worker = WorkerProcess(name, process, folder / "log")
        try:
            yield worker
        finally:
            worker.kill()


@dataclass(frozen=True)
class WorkerProcess:
    """A running worker; `name` is the application name of its connections."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def wait_until_idle(self, connection: Connection) -> None:
        """Wait until the worker is idle. Raises TooSlow with the end of its log."""
        try:
            wait_for(lambda: self._asks(connection, "is_idle"), START_SECONDS)
        except TooSlow as error:
            end = self.log.read_text(errors="replace")[-2000:]
            raise TooSlow(f"{self.log.parent.name} was idle {error}; its log ends with:\n{end}") from None

    def wait_until_gone(self, connection: Connection) -> None:
        wait_for(lambda: self._asks(connection, "is_gone"), START_SECONDS)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _asks(self, connection: Connection, query: str) -> bool:
        row = connection.execute(QUERIES[query], {"name": self.name}).fetchone()
        return row == (True,)


@dataclass
class Lane:
    """A side with a setup on a database of its own."""

    server: Server
    side: Side
    setup: Setup
    template: str
    database: str = field(init=False)
    connection: Connection = field(init=False)

    def __post_init__(self) -> None:
        self.database = self.server.copy(self.template)
        self.connection = self.server.connect(self.database)

    def log_statements(self) -> None:
        """Have the server log every statement of those who connect to this database later."""
        statement = sql.SQL("ALTER DATABASE {} SET log_statement = 'all'")
        self.connection.execute(statement.format(sql.Identifier(self.connection.info.dbname)))

    def updates(self) -> Updates:
        """The updates so far. A connection's are complete only after it ends."""
        found = self.connection.cursor(row_factory=class_row(Updates)).execute(QUERIES["updates"]).fetchone()
        assert found
        return found

    def reconnect(self) -> None:
        self.connection.close()
        self.connection = self.server.connect(self.database)

    def insert(self) -> Job:
        return self.side.insert(self.connection)

    def times(self, job: Job) -> Times:
        return self.side.times(self.connection, job)

    def given_up_at(self, job: Job) -> datetime:
        return self.side.given_up_at(self.connection, job, self.setup)

    def now(self) -> datetime:
        when = self.connection.cursor(row_factory=scalar_row).execute(QUERIES["now"]).fetchone()
        assert isinstance(when, datetime)
        return when

    def wait_for_claims(self, job: Job, claims: int, seconds: float) -> datetime:
        """Wait until the job has this number of claims, and return the time of the last. Raises TooSlow."""
        wait_for(lambda: self.times(job).claims >= claims, seconds)
        claimed = self.times(job).claimed
        assert claimed
        return claimed


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    """Poll until `condition` is true. Raises TooSlow."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TooSlow(f"not within {seconds:g} s")
        time.sleep(POLL_SECONDS)
