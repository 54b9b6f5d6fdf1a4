"""A backend whose tables are called otherwise has one view each for them, and nothing else to do."""

from pathlib import Path

import psycopg
import pytest

from tests.integration.test_contract import STATEMENTS
from tests.support.in_process import publish_or_keep, work
from tests.support.shop import Shop
from worker.catalogue.photo_files import fetch_photos
from worker.catalogue.rows import read_catalogue
from worker.child.messages import Message
from worker.database.migrate import MIGRATIONS, migrate, pending
from worker.job.job import Job
from worker.job.photo_path import PhotoPath

TABLES = (Path(__file__).parents[2] / "support" / "other_backend.sql").read_text()


@pytest.fixture
def shop(empty_database: str, tmp_path: Path) -> Shop:
    """The other backend with its views and its photos, which all lie in one folder."""
    shop = Shop(empty_database, tmp_path / "storage", tmp_path / "models")
    (shop.storage / "items").mkdir(parents=True)
    with shop.connect() as connection:
        connection.execute(TABLES.encode())
        connection.execute(STATEMENTS["views"].encode())
        for row in connection.execute("SELECT file FROM shop_images"):
            (shop.storage / "items" / row["file"]).write_bytes(b"x")
    return shop


def test_migrate_leaves_the_views_as_they_are(shop: Shop) -> None:
    applied = migrate(shop.database, MIGRATIONS)
    assert applied == [file.stem for file in sorted(MIGRATIONS.glob("*.sql"))]
    assert pending(shop.database, MIGRATIONS) == []
    with shop.connect() as connection:
        rows = connection.execute(
            """SELECT relname, relkind::text FROM pg_class WHERE relname IN ('Products', 'ProductPhotos')"""
        ).fetchall()
    assert {row["relname"]: row["relkind"] for row in rows} == {"Products": "v", "ProductPhotos": "v"}


async def test_its_photos_are_found_and_its_jobs_done(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(shop.database, MIGRATIONS)
    monkeypatch.setenv("PHOTO_PATH", "items/{FileName}")
    found: list[str] = []

    def train(job: Job) -> list[Message | bytes]:
        photo_set = fetch_photos(read_catalogue(shop.database), job.storage, PhotoPath(job.photo_path))
        found.extend(photo.name for photo in photo_set.photos)
        assert {(each.product_id, each.sku, each.name) for each in photo_set.listed} == {
            ("4700", "900", "Cup"),
            ("4701", "1000", "Jug"),
        }
        return publish_or_keep(job)

    job_id = shop.insert_job()
    await work(shop, train)
    assert shop.job(job_id)["Status"] == "Completed"
    # In the order of the SKUs as texts, and of the backend's positions.
    assert found == [f"items/{article}-{number}.jpg" for article in (1000, 900) for number in range(6, 0, -1)]


def test_a_backend_with_tables_of_its_own_gets_no_index_in_them(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute('CREATE TABLE "Products" ("Id" text PRIMARY KEY)')
        connection.execute('CREATE TABLE "ProductPhotos" ("ProductId" text, "DisplayOrder" int)')
        migrate(empty_database, MIGRATIONS)
        found = connection.execute("SELECT indexname FROM pg_indexes WHERE tablename = 'ProductPhotos'")
        assert found.fetchall() == []
