"""A shop with its own database and storage folder, and the settings of its worker."""

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from bench.train.backbones import AskedBackbone
from bench.train.photos import Photo
from demo import shop as demo_shop
from demo.embedded_postgres import EmbeddedPostgres
from demo.worker_process import migrate
from worker.database.sql import load_queries

QUERIES = {**demo_shop.QUERIES, **load_queries(Path(__file__).with_name("shop.sql"))}


class Shop:
    """A context manager; leaving it removes `folder` but keeps `cache`, as for a container."""

    def __init__(
        self, postgres: EmbeddedPostgres, folder: Path, backbone: AskedBackbone, cache: Path
    ) -> None:
        self.folder = folder
        self.cache = cache
        self.environment = {
            "DATABASE_URL": postgres.create_database(f"shop_{uuid4().hex}"),
            "STORAGE_PATH": str(folder / "storage"),
            "OUTPUT_PATH": str(folder / "models"),
            "HEALTH_FILE": str(folder / "health"),
            "CACHE_PATH": str(cache),
            **backbone.environment,
        }
        self._products: dict[str, UUID] = {}
        self._photos = Counter[str]()

    def __enter__(self) -> "Shop":
        self.folder.mkdir(parents=True)
        migrate(self.environment)
        url = self.environment["DATABASE_URL"]
        self._connection = psycopg.connect(url, autocommit=True, row_factory=dict_row)
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        shutil.rmtree(self.folder)

    @property
    def models(self) -> Path:
        return self.folder / "models"

    def forget_features(self) -> None:
        """Empty the feature store; keep the converted backbone."""
        shutil.rmtree(self.cache / "features", ignore_errors=True)

    def add(self, photos: Iterable[Photo]) -> None:
        """Add photos to the catalogue, with rows and files as a backend would write them."""
        rows: list[dict[str, object]] = []
        for photo in photos:
            product = self._product(photo)
            folder = self.folder / "storage" / "products" / str(product)
            (folder / photo.file_name).write_bytes(photo.content())
            order = self._photos[photo.sku]
            self._photos[photo.sku] += 1
            rows.append({"id": uuid4(), "product_id": product, "file_name": photo.file_name, "order": order})
        with self._connection.cursor() as cursor:
            cursor.executemany(QUERIES["insert_photo"], rows)

    def insert_job(self, options: Mapping[str, object]) -> UUID:
        row = self._connection.execute(QUERIES["insert_job_with_options"], {"options": Jsonb(dict(options))})
        inserted = row.fetchone()
        assert inserted
        return UUID(str(inserted["Id"]))

    def read_job(self, job: UUID) -> dict[str, Any]:
        row = self._connection.execute(QUERIES["read_job"], {"id": job}).fetchone()
        assert row
        return row

    def _product(self, photo: Photo) -> UUID:
        if photo.sku not in self._products:
            product = self._products[photo.sku] = uuid4()
            (self.folder / "storage" / "products" / str(product)).mkdir(parents=True)
            row = {"id": product, "sku": photo.sku, "name": photo.product}
            self._connection.execute(QUERIES["insert_product"], row)
        return self._products[photo.sku]
