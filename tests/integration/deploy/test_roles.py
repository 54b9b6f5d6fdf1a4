"""The roles of docker-compose.yml, as its services make them one after the other."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from demo.embedded_postgres import EmbeddedPostgres
from demo.postgres_programs import installed_postgres
from tests.conftest import PostgresServer
from tests.support.in_process import work
from tests.support.shop import ROOT, Shop

# As they may be chosen: psql must quote them.
PASSWORDS = {"SHOP_PASSWORD": "it's $HOME \\ :x", "WORKER_PASSWORD": 'a "b" %s'}
USERS = {"SHOP_PASSWORD": "shop", "WORKER_PASSWORD": "training_worker"}


@pytest.fixture
def server(postgres_server: PostgresServer) -> Iterator[EmbeddedPostgres]:
    """A server on which nobody else has roles of these names."""
    if not isinstance(postgres_server, EmbeddedPostgres):
        with EmbeddedPostgres() as server:
            yield server
        return
    yield postgres_server
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS shop WITH (FORCE)")
        connection.execute("DROP ROLE IF EXISTS shop, training_worker")


def make_roles(server: EmbeddedPostgres, **passwords: str) -> str:
    """Run deploy/roles.sql as the service `roles` does; return what psql printed."""
    where = {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGUSER": "worker",
        "PGPASSWORD": server.password,
        "PGDATABASE": "shop",
    }
    psql = installed_postgres() / "bin" / "psql"
    ran = subprocess.run(
        [psql, "--no-psqlrc", "--quiet", f"--file={ROOT / 'deploy' / 'roles.sql'}"],
        env=os.environ | where | passwords,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert ran.returncode == (0 if passwords else 3), ran.stdout
    return ran.stdout


async def test_neither_migrations_nor_workers_need_the_superuser(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    database = server.create_database("shop")
    assert make_roles(server)  # which ends at the password that is not there
    for _ in range(2):
        assert make_roles(server, **PASSWORDS) == ""
    shop, worker = (
        Shop(
            make_conninfo(database, user=user, password=PASSWORDS[name]),
            tmp_path / "storage",
            tmp_path / "models",
        )
        for name, user in USERS.items()
    )
    migrated = shop.worker("migrate", "--grant-to", "training_worker")
    said, _ = migrated.communicate()
    assert migrated.returncode == 0, said
    assert '"event": "rights_granted"' in said
    assert "role_created" not in said

    job = shop.insert_job()
    await work(worker)
    assert shop.job(job)["Status"] == "Completed"
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT rolname FROM pg_roles WHERE rolsuper").fetchall()
    assert rows == [("worker",)]
    assert not [
        secret for secret in PASSWORDS.values() if secret in (server.folder / "server.log").read_text()
    ]
