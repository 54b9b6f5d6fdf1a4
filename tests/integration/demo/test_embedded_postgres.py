"""The embedded server: whom it runs as, what survives a crash, and what it leaves behind."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from demo import embedded_postgres
from demo.embedded_postgres import EmbeddedPostgres, PostgresStartError
from demo.postgres_programs import installed_postgres
from tests.support.waiting import DEADLINE, wait_until

ROOT = Path(__file__).parents[3]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres() as running:
        yield running


def count_of(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def account_of(port: int) -> int:
    servers = [child for child in psutil.Process().children() if f"--port={port}" in child.cmdline()]
    assert len(servers) == 1
    return int(servers[0].uids().real)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def copy_install(folder: Path) -> Path:
    package = installed_postgres().parent
    ignored = shutil.ignore_patterns("include", "*.a", "pginstall18")
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, folder / part.name, ignore=ignored)
    return folder / package.name / "pginstall"


def wait_until_gone(pids: list[int]) -> None:
    wait_until(lambda: not any(is_alive(pid) for pid in pids), "the end of a server whose starter is gone")


def test_data_survives_restarts_and_crashes_on_the_same_port(server: EmbeddedPostgres) -> None:
    url = server.create_database("Odd name/ö")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 10) AS number")
    idle = psycopg.connect(url)
    for disturb in (server.restart, server.kill, server.kill):
        disturb()
        server.start()
        assert count_of(url) == 10
    with pytest.raises(psycopg.OperationalError):
        idle.execute("SELECT 1")


def test_a_password_is_asked_for_over_tcp_and_over_the_socket(server: EmbeddedPostgres) -> None:
    for host in ("127.0.0.1", str(server.folder)):
        with psycopg.connect(
            host=host, port=server.port, user="worker", password=server.password, dbname="postgres"
        ):
            pass
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            psycopg.connect(host=host, port=server.port, user="worker", password="wrong", dbname="postgres")
    assert server.password not in repr(server)


def test_stopping_leaves_nothing_and_starting_again_is_new() -> None:
    server = EmbeddedPostgres()
    with server:
        folder, port = server.folder, server.port
        server.create_database("gone")
    assert not folder.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url(), connect_timeout=2)
    server.stop()
    with server, psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT 1 FROM pg_database WHERE datname = 'gone'").fetchone() is None
    assert port


@AS_ROOT
def test_root_runs_it_as_an_ordinary_user_from_a_closed_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    install = copy_install(home)
    home.chmod(0o700)
    # A checkout made under a strict umask is closed to others in every file.
    (install / "bin" / "postgres").chmod(0o700)
    with EmbeddedPostgres(install) as server:
        assert (server.folder / "wheel").is_dir()
        assert account_of(server.port) != 0
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        folder = server.folder
    assert not folder.exists()


@AS_ROOT
def test_root_does_not_copy_what_can_be_reached(server: EmbeddedPostgres) -> None:
    assert account_of(server.port) != 0
    assert server.folder.stat().st_mode & 0o077 == 0


@AS_ROOT
def test_an_ordinary_user_can_run_it() -> None:
    # The interpreter may lie where only root can reach it, so root starts it and then steps down.
    program = (
        "import os, sys; from pathlib import Path; from demo.embedded_postgres import EmbeddedPostgres\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "with EmbeddedPostgres(Path(sys.argv[1])) as server:\n"
        "    print(server.folder.stat().st_uid, server.create_database('shop'))\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        install = copy_install(Path(folder))
        ran = subprocess.run(
            [sys.executable, "-c", program, str(install)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("65534 ")
    assert ran.stdout.endswith("/shop\n")


def test_a_taken_port_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken, socket.socket() as free:
        taken.bind(("127.0.0.1", 0))
        free.bind(("127.0.0.1", 0))
        ports = [taken.getsockname()[1], free.getsockname()[1]]
        free.close()
        monkeypatch.setattr(embedded_postgres, "_free_port", iter(ports).__next__)
        with EmbeddedPostgres() as server:
            assert server.port == ports[1]


def test_a_failing_start_quotes_the_log_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.setitem(embedded_postgres.SETTINGS, "shared_buffers", "nonsense")
    server = EmbeddedPostgres()
    with pytest.raises(PostgresStartError, match='invalid value for parameter "shared_buffers"') as raised:
        server.start()
    assert server.password not in str(raised.value)
    with pytest.raises(PostgresStartError, match="start"):
        _ = server.folder


def test_missing_programs_are_named(tmp_path: Path) -> None:
    with pytest.raises((PostgresStartError, FileNotFoundError), match=re.escape(str(tmp_path))):
        EmbeddedPostgres(tmp_path / "pginstall").start()


def test_it_ends_when_whoever_started_it_is_killed() -> None:
    program = (
        "import time; from demo.embedded_postgres import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(); server.start(); print(server.folder, flush=True); time.sleep(600)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    folder = Path(owner.stdout.readline().strip())
    pids = [child.pid for child in psutil.Process(owner.pid).children(recursive=True)]
    assert len(pids) > 1
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    try:
        wait_until_gone(pids)
    finally:
        shutil.rmtree(folder)
