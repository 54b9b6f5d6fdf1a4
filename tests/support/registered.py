"""Creates models as a worker does: a row, and a folder whose files are recorded in its `metadata.json`."""

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

from tests.support.shop import Shop

FILES = ("model.json", "group1-shard1of1.bin", "held_out/model.json")
Row = dict[str, Any]


def write_folder(folder: Path) -> Path:
    """Write the files of a complete model, each with the version in it; return `folder`."""
    recorded = {}
    for name in FILES:
        content = f"{name} of {folder.name}".encode()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        recorded[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "metadata.json").write_text(json.dumps({"version": folder.name, "files": recorded}))
    return folder


def aged(folder: Path, hours: float, metadata: str = "") -> Path:
    """Create `folder`, or make it older: it was last modified `hours` ago."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text("{}")
    if metadata:
        (folder / "metadata.json").write_text(metadata)
    then = time.time() - 3600 * hours
    os.utime(folder, (then, then))
    return folder


def insert_row(shop: Shop, version: str, *, active: bool = False) -> None:
    """Insert a model's row with SQL, as a backend could."""
    with shop.connect() as connection:
        connection.execute(
            """INSERT INTO "ModelMetadata" ("Id", "Version", "TrainedAt", "ModelPath", "AccuracyMetrics",
            "TotalPhotosUsed", "TotalProductsUsed", "IsActive", "CreatedAt", "UpdatedAt")
            VALUES (gen_random_uuid(), %s, clock_timestamp(), %s, '{"top1": 0.9375}', 10, 2, %s, now(), now())""",
            (version, f"models/{version}", active),
        )


def publish(shop: Shop, *versions: str) -> None:
    """Publish complete models, the oldest first, without activation."""
    for version in versions:
        write_folder(shop.models / version)
        insert_row(shop, version)


def activate(shop: Shop, *versions: str) -> None:
    """Activate one version after another with SQL, as a backend does."""
    with shop.connect() as connection:
        for version in versions:
            connection.execute("SELECT activate_model(%s)", (version,))


def audit(shop: Shop) -> list[Row]:
    with shop.connect() as connection:
        return connection.execute('SELECT * FROM "ModelActivations" ORDER BY "Id"').fetchall()


def changes(shop: Shop) -> list[tuple[str | None, str | None]]:
    """The previous and the new version of each row in "ModelActivations"."""
    return [(row["PreviousVersion"], row["Version"]) for row in audit(shop)]


def active(shop: Shop) -> str | None:
    versions = [model["Version"] for model in shop.models_in_database() if model["IsActive"]]
    assert len(versions) <= 1
    return versions[0] if versions else None


def assert_audit_holds(shop: Shop) -> None:
    """Assert that every change starts from the version of the one before, and that the last one is active."""
    found: list[str | None] = [None]
    for previous, version in changes(shop):
        assert previous == found[-1]
        assert version != previous
        found.append(version)
    assert found[-1] == active(shop)
