"""What the tests share: a real Postgres, and databases of their own on it."""

import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import numpy as np
import numpy.typing as npt
import psycopg
import pytest
from psycopg import sql

from demo.draw_catalogue import draw_catalogue
from demo.embedded_postgres import EmbeddedPostgres
from demo.shop import lay_down
from tests.support.backbones import SETTINGS
from tests.support.clock import Clock
from tests.support.shared import LONGEST, Sharing, folder_of_all, made_once
from tests.support.shop import Shop
from tests.support.trained_here import TrainedHere, train_here, trained_here
from worker.cores import usable_cores
from worker.database.migrate import MIGRATIONS, migrate
from worker.photos.decoders import Decoders
from worker.photos.decoding_limits import decoding_limits

# Most tests wait, for processes and for leases.
PROCESSES_PER_CORE, MOST_PROCESSES = 2, 8


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """What `-n auto` and `-n logical` mean here: the latter is for tests that compute."""
    per_core = 1 if config.option.numprocesses == "logical" else PROCESSES_PER_CORE
    return min(per_core * usable_cores(), MOST_PROCESSES)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sharing:
    """Share out the tests in our own way, whatever `--dist` says, from the first folder to the last."""
    config.option.loadscopereorder = False
    return Sharing(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


class PostgresServer(Protocol):
    """A server on which the tests may create databases."""

    def url(self, database: str = "postgres") -> str: ...

    def create_database(self, name: str) -> str: ...


@dataclass(frozen=True)
class NamedPostgres:
    """The server named by TEST_DATABASE_URL, whose user may create databases."""

    address: str

    def url(self, database: str = "") -> str:
        if not database:
            return self.address
        return urlsplit(self.address)._replace(path=f"/{quote(database, safe='')}").geturl()

    def create_database(self, name: str) -> str:
        with psycopg.connect(self.address, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)


@pytest.fixture(scope="session")
def decoders() -> Iterator[Decoders]:
    """Processes that decode photos, with the limits that a job has."""
    with Decoders(decoding_limits(None)) as decoders:
        yield decoders


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A Postgres for the whole run: an embedded one, or the one that TEST_DATABASE_URL names."""
    if address := os.environ.get("TEST_DATABASE_URL"):
        yield NamedPostgres(address)
    else:
        with EmbeddedPostgres() as server:
            yield server


@pytest.fixture
def empty_database(postgres_server: PostgresServer) -> Iterator[str]:
    """The connection string of a new, empty database."""
    name = f"test_{secrets.token_hex(6)}"
    yield postgres_server.create_database(name)
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database(empty_database: str) -> str:
    """The connection string of a new database with our migrations applied."""
    migrate(empty_database, MIGRATIONS)
    return empty_database


@pytest.fixture(scope="module")
def shared_database(postgres_server: PostgresServer) -> Iterator[str]:
    """As `database`, for all tests of a module, which leave in it what they found."""
    name = f"test_{secrets.token_hex(6)}"
    database = postgres_server.create_database(name)
    migrate(database, MIGRATIONS)
    yield database
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What all of this process take for the time that has passed."""
    clock = Clock()
    monkeypatch.setattr("time.monotonic", clock)
    return clock


@pytest.fixture(scope="session")
def drawn_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder a product: photos of four clearly different products, eight of each."""
    folder = folder_of_all(tmp_path_factory) / "photos"
    return made_once(folder, lambda empty: draw_catalogue(empty, products=4, photos=8))


@pytest.fixture
def shop(database: str, drawn_photos: Path, tmp_path: Path) -> Shop:
    """A backend's database and storage with the drawn products in them, and no job yet."""
    shop = Shop(database, tmp_path / "storage", tmp_path / "models")
    with shop.connect() as connection:
        lay_down(drawn_photos, shop.storage, connection)
    return shop


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of all workers of the run, so that the backbone is converted once."""
    folder = folder_of_all(tmp_path_factory) / "cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def workers_cache(cache: Path) -> Iterator[None]:
    """Every worker that a test starts has that cache, and weights that are installed: it downloads nothing."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"CACHE_PATH": str(cache), **SETTINGS}.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def trained(drawn_photos: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedHere:
    """A model that the tests trained themselves, published and not: what a browser gets must be the same."""
    folder = folder_of_all(tmp_path_factory) / "published"
    return trained_here(made_once(folder, lambda empty: train_here(drawn_photos, empty, cache)), cache)


@pytest.fixture(scope="session")
def published_model(trained: TrainedHere) -> Path:
    """The folder of a published model."""
    return trained.folder


@pytest.fixture(scope="session")
def python_probabilities(trained: TrainedHere) -> Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]:
    """Gives what the model says in Python, before it was exported, of uint8 `[n, 224, 224, 3]`."""
    return trained.probabilities
