"""Old models are removed, row and folder together, whatever breaks off; those that may be needed stay."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tests.support.registered import activate, assert_audit_holds, publish, write_folder
from tests.support.shop import Shop
from tests.support.waiting import DEADLINE
from worker.cli.connection import transactions
from worker.errors import UserError
from worker.events import Event
from worker.registry import prune as pruning
from worker.registry.folder import PRUNED
from worker.registry.models import lock
from worker.registry.prune import ModelPrune, remove, take_out
from worker.registry.verify import verify

VERSIONS = ("v1_20260101", "v2_20260101", "v3_20260101", "v4_20260101", "v5_20260101")


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    """A shop without products: nothing is trained here."""
    return Shop(database, tmp_path / "storage", tmp_path / "models")


def there(shop: Shop) -> list[str]:
    """The versions that have a row; each has its folder, and no other folder is there."""
    versions = sorted(model["Version"] for model in shop.models_in_database())
    assert versions == sorted(path.name for path in shop.models.glob("v*"))
    for version in versions:
        verify(shop.models / version)
    return versions


async def prune(shop: Shop, keep: int) -> list[str]:
    """As `worker models prune` does."""
    async with await psycopg.AsyncConnection.connect(shop.database, autocommit=True) as connection:
        models = ModelPrune(transactions(connection), shop.models, keep)
        removed: list[str] = []
        while some := await models.step():
            removed = some + removed
        return removed


@pytest.mark.parametrize(
    ("activated", "keep", "expected"),
    [
        ((), 2, VERSIONS[3:]),
        ((0,), 1, (VERSIONS[0], VERSIONS[4])),
        ((0, 1), 1, (VERSIONS[0], VERSIONS[1], VERSIONS[4])),
        ((0, 1, 2), 2, (VERSIONS[1], VERSIONS[2], VERSIONS[3], VERSIONS[4])),
        # Gone back from the newest: the one to go back to from here is older.
        ((0, 1, 4, 1), 1, (VERSIONS[0], VERSIONS[1], VERSIONS[4])),
        ((4,), 5, VERSIONS),
    ],
)
async def test_prune_removes_what_is_old_but_never_the_active_model_nor_the_one_before_it(
    shop: Shop, activated: tuple[int, ...], keep: int, expected: tuple[str, ...]
) -> None:
    publish(shop, *VERSIONS)
    activate(shop, *(VERSIONS[number] for number in activated))
    (shop.models / ".staging" / "v6_20260101" / "owner.1").mkdir(parents=True)
    removed = await prune(shop, keep)
    assert there(shop) == sorted(expected)
    assert sorted(removed + list(expected)) == list(VERSIONS)
    assert list((shop.models / PRUNED).glob("*")) == []
    assert (shop.models / ".staging" / "v6_20260101" / "owner.1").exists()
    assert await prune(shop, keep) == []
    assert_audit_holds(shop)


async def test_many_old_models_go_the_oldest_first_a_few_in_each_transaction(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "STEP", 1)
    publish(shop, *VERSIONS)
    activate(shop, VERSIONS[0], VERSIONS[1])
    async with await psycopg.AsyncConnection.connect(shop.database, autocommit=True) as connection:
        models = ModelPrune(transactions(connection), shop.models, 1)
        assert [await models.step() for _ in range(3)] == [[VERSIONS[2]], [VERSIONS[3]], []]
    assert there(shop) == [VERSIONS[0], VERSIONS[1], VERSIONS[4]]


async def test_a_row_whose_folder_is_gone_already_is_pruned_like_any_other(shop: Shop) -> None:
    publish(shop, *VERSIONS[:2])
    remove([shop.models / VERSIONS[0]])
    assert await prune(shop, 1) == [VERSIONS[0]]
    assert there(shop) == [VERSIONS[1]]


async def test_prune_leaves_everything_alone_where_the_folder_is_not_that_of_the_models(
    shop: Shop, tmp_path: Path
) -> None:
    publish(shop, *VERSIONS)
    activate(shop, VERSIONS[4])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"OUTPUT_PATH .* does not have the active model"):
        await prune(replace(shop, models=tmp_path / "empty"), 1)
    assert there(shop) == list(VERSIONS)


async def test_a_version_that_is_no_folders_name_is_not_moved_anywhere(shop: Shop, tmp_path: Path) -> None:
    publish(shop, *VERSIONS[:1])
    with shop.connect() as connection:
        connection.execute("""UPDATE "ModelMetadata" SET "Version" = '../storage'""")
    publish(shop, VERSIONS[1])
    (tmp_path / "storage").mkdir()
    with pytest.raises(UserError, match=r"“../storage” .* cannot be the name of a folder"):
        await prune(shop, 1)
    assert (tmp_path / "storage").exists()


async def test_a_prune_that_fails_half_way_puts_everything_back(shop: Shop) -> None:
    publish(shop, *VERSIONS)
    # The second one cannot be hidden: something else has its place.
    (shop.models / PRUNED / VERSIONS[1] / "full").mkdir(parents=True)
    async with await psycopg.AsyncConnection.connect(shop.database, autocommit=True) as connection:
        with pytest.raises(OSError, match=VERSIONS[1]):
            async with connection.transaction():
                await lock(connection)
                await take_out(connection, shop.models, 1)
    assert there(shop) == list(VERSIONS)


async def killed_between_rename_and_commit(shop: Shop, keep: int) -> None:
    """What a prune leaves whose process died, so that Postgres took its transaction back."""
    async with await psycopg.AsyncConnection.connect(shop.database, autocommit=True) as connection:
        await connection.execute("BEGIN")
        await lock(connection)
        await take_out(connection, shop.models, keep)
        await connection.execute("ROLLBACK")


async def test_the_next_prune_puts_back_what_one_that_was_killed_had_hidden(shop: Shop) -> None:
    publish(shop, *VERSIONS)
    await killed_between_rename_and_commit(shop, 1)
    assert len(list((shop.models / PRUNED).iterdir())) == 4
    assert await prune(shop, 3) == [VERSIONS[1], VERSIONS[0]]
    assert there(shop) == list(VERSIONS[2:])
    assert list((shop.models / PRUNED).iterdir()) == []


async def test_a_worker_puts_back_what_a_killed_prune_hid_and_removes_what_one_had_no_time_for(
    shop: Shop,
) -> None:
    """Of a hidden folder without a row only a job can tell that this is the right database."""
    publish(shop, *VERSIONS[:2])
    await killed_between_rename_and_commit(shop, 1)
    known, unknown = (write_folder(shop.models / PRUNED / version) for version in VERSIONS[3:])
    with shop.connect() as connection:
        connection.execute(
            'INSERT INTO "TrainingJobs" ("Status", "ResultModelVersion") VALUES (%s, %s)',
            ("Completed", known.name),
        )
    log, _ = await asyncio.to_thread(shop.worker("run", "--until-idle").communicate, timeout=DEADLINE)
    assert there(shop) == list(VERSIONS[:2])
    assert list((shop.models / PRUNED).iterdir()) == [unknown]
    events = [json.loads(line) for line in log.splitlines()]
    assert [event["path"] for event in events if event["event"] == Event.ORPHAN_REMOVED] == [str(known)]
    assert [event["paths"] for event in events if event["event"] == Event.ORPHANS_LEFT] == [[str(unknown)]]
