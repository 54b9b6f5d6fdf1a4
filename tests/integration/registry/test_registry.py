"""Published models: whole or refused, chosen and gone back from, and removed with row and folder together."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.faults.stub_model import stub_model
from tests.support.registered import activate, active, changes, publish, write_folder
from tests.support.shop import Shop
from worker.daemon.completion import publish_and_complete
from worker.database.connection import Database
from worker.errors import UserError
from worker.queue.jobs import JobQueue
from worker.registry.activations import Activation, before
from worker.registry.folder import reserve
from worker.registry.verify import verify

VERSIONS = ("v1_20260101",)


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    """A shop without products: nothing is trained here."""
    return Shop(database, tmp_path / "storage", tmp_path / "models")


def history(*versions: str | None) -> list[Activation]:
    return [Activation(version, None, "", "", datetime(2026, 1, 1, tzinfo=UTC)) for version in versions]


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ((), None),
        (("a",), None),
        (("a", "b"), "a"),
        (("a", "b", "a"), None),
        (("a", "b", "c", "b"), "a"),
        (("a", "b", "c", "b", "a"), None),
        (("a", "b", "c", "b", "d"), "b"),
        (("a", None, "b"), "a"),
        (("a", "b", None), "b"),
    ],
    ids=str,
)
def test_going_back_never_leads_to_a_model_that_was_gone_back_from(
    versions: tuple[str | None, ...], expected: str | None
) -> None:
    assert before(history(*versions), versions[-1] if versions else None) == expected


def test_a_whole_model_is_whole(tmp_path: Path) -> None:
    verify(write_folder(tmp_path / "v1_20260101"))


def append(folder: Path) -> None:
    with (folder / "held_out" / "model.json").open("a") as file:
        file.write(" ")


def flip(folder: Path) -> None:
    path = folder / "group1-shard1of1.bin"
    path.write_bytes(path.read_bytes()[::-1])


def record(folder: Path, name: str) -> None:
    metadata = json.loads((folder / "metadata.json").read_text())
    metadata["files"] |= {name: {"bytes": 0, "sha256": ""}}
    (folder / "metadata.json").write_text(json.dumps(metadata))


def link_outside(folder: Path) -> None:
    (folder.parent / "elsewhere").write_text("")
    (folder / "link").symlink_to(folder.parent / "elsewhere")
    record(folder, "link")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (append, "held_out/model.json was changed"),
        (flip, "group1-shard1of1.bin was changed"),
        (lambda folder: (folder / "model.json").unlink(), "model.json is missing"),
        (lambda folder: (folder / "metadata.json").unlink(), "metadata.json is missing"),
        (lambda folder: (folder / "metadata.json").write_text("[]"), "does not say which files"),
        (lambda folder: (folder / "metadata.json").write_text('{"files": {}}'), "does not say which files"),
        (lambda folder: record(folder, "../outside.bin"), "outside.bin”, which lies outside"),
        (lambda folder: record(folder, "/etc/hostname"), "/etc/hostname”, which lies outside"),
        (link_outside, "“link”, which lies outside"),
        (lambda folder: record(folder, "held_out"), "held_out cannot be read"),
    ],
)
def test_a_model_that_is_not_whole_is_refused_by_the_name_of_its_file(
    tmp_path: Path, damage: Callable[[Path], Any], says: str
) -> None:
    folder = write_folder(tmp_path / "v1_20260101")
    damage(folder)
    with pytest.raises(UserError, match=f"{says}.*Restore the folder from a backup, or activate another"):
        verify(folder)


async def test_a_model_that_was_decided_against_is_registered_with_the_reason(shop: Shop) -> None:
    publish(shop, VERSIONS[0])
    activate(shop, VERSIONS[0])
    queue = JobQueue("worker-7", 60)
    job_id = shop.insert_job()
    async with Database(shop.database) as pool:
        async with pool.transaction() as connection:
            claim = await queue.claim(connection)
        assert claim
        folder = reserve(shop.models, claim.started_at, claim.name)
        model = replace(stub_model(VERSIONS[0], activate=False), skipped={"truncated": 2, "missing": 1})
        reason = "It is worse. " * 100
        model = replace(model, promotion=replace(model.promotion, reason=reason))
        await publish_and_complete(pool, queue, claim, folder, model)
    assert active(shop) == VERSIONS[0]
    assert changes(shop) == [(None, VERSIONS[0])]
    [row] = [model for model in shop.models_in_database() if model["Version"] == folder.version]
    assert len(row["Notes"]) == 1000
    assert row["Notes"].startswith("Not activated: It is worse. It is worse.")
    assert row["Notes"].endswith("… 3 photos were left out: 2 truncated, 1 missing.")
    job = shop.job(job_id)
    assert (job["Status"], job["ResultModelVersion"]) == ("Completed", folder.version)
    assert job["Result"] == {
        "version": folder.version,
        "activated": False,
        "reason": reason,
        "accuracy": {"top1": 1.0, "top3": 1.0, "photos": 10, "products": 2},
        "advice": [],
    }
