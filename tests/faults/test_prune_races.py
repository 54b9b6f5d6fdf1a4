"""Old models are pruned while a backend activates one of them, or a client reads the active one."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.registered import activate, active, assert_audit_holds, publish
from tests.support.shop import Shop
from worker.errors import UserError
from worker.registry.models import lock
from worker.registry.prune import remove, take_out
from worker.registry.verify import verify

FIRST, SECOND, THIRD = ("v1_20260101", "v2_20260101", "v3_20260101")

Connection = psycopg.AsyncConnection[Any]


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    """A shop without products, with three complete models that were activated one after another."""
    shop = Shop(database, tmp_path / "storage", tmp_path / "models")
    publish(shop, FIRST, SECOND, THIRD)
    activate(shop, FIRST, SECOND, THIRD)
    return shop


async def waiting(connection: Connection, many: int) -> None:
    """Wait until `many` transactions wait for "ModelMetadata"; they get the lock in the order of their requests."""
    query = """SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '"ModelMetadata"'::regclass
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
    while await (await connection.execute(query)).fetchone() != (many,):
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("first", ["prune", "activate"])
async def test_of_a_prune_and_an_activation_of_what_it_would_remove_the_first_is_heard(
    shop: Shop, first: str
) -> None:
    """Either the model is active with all its files, or it is gone completely."""

    async def prune(connection: Connection) -> None:
        async with connection.transaction():
            await lock(connection)
            hidden = await take_out(connection, shop.models, 1)
        remove(hidden)

    async def choose(connection: Connection) -> None:
        await connection.execute("SELECT activate_model(%s)", (FIRST,))

    pair: list[Callable[[Connection], Awaitable[None]]] = [prune, choose]
    if first == "activate":
        pair.reverse()
    async with (
        await psycopg.AsyncConnection.connect(shop.database, autocommit=True) as holder,
        await psycopg.AsyncConnection.connect(shop.database, autocommit=True) as one,
        await psycopg.AsyncConnection.connect(shop.database, autocommit=True) as other,
    ):
        async with holder.transaction():
            await lock(holder)
            tasks = []
            for number, (change, connection) in enumerate(zip(pair, (one, other), strict=True), 1):
                tasks.append(asyncio.ensure_future(change(connection)))
                await waiting(holder, number)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    versions = sorted(model["Version"] for model in shop.models_in_database())
    if first == "prune":
        assert isinstance(ended[1], psycopg.errors.NoDataFound)
        assert (active(shop), versions) == (THIRD, [SECOND, THIRD])
    else:
        assert ended == [None, None]
        # To activate the first one again is a rollback, so that there is none before it.
        assert (active(shop), versions) == (FIRST, [FIRST, THIRD])
    assert versions == sorted(path.name for path in shop.models.glob("v*"))
    assert_audit_holds(shop)


async def test_who_reads_the_active_model_while_old_ones_are_pruned_finds_it_whole_or_gone(
    shop: Shop,
) -> None:
    done = threading.Event()
    read: list[str] = []

    def reader() -> None:
        while not done.is_set():
            version = active(shop)
            assert version
            try:
                verify(shop.models / version)
            except UserError:
                # Two others were activated since, and the model is gone with all its files.
                assert not (shop.models / version).exists()
                assert active(shop) != version
            read.append(version)

    reading = asyncio.create_task(asyncio.to_thread(reader))
    try:
        async with await psycopg.AsyncConnection.connect(shop.database, autocommit=True) as connection:
            for number in range(10, 40):
                await asyncio.to_thread(publish, shop, f"v{number}_20260101")
                await asyncio.to_thread(activate, shop, f"v{number}_20260101")
                async with connection.transaction():
                    await lock(connection)
                    hidden = await take_out(connection, shop.models, 1)
                remove(hidden)
    finally:
        done.set()
        await reading
    assert len(set(read)) > 1
    assert len(shop.models_in_database()) == 2
