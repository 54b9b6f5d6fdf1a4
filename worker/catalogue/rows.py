"""Reads the shop's catalogue, the photos of each product, from the backend's tables."""

from pathlib import Path

import psycopg
from psycopg.rows import class_row

from worker.catalogue.catalogue_photo import CataloguePhoto
from worker.database.connection import PARAMETERS
from worker.database.sql import load_queries

QUERIES = load_queries(Path(__file__).with_name("rows.sql"))


def read_catalogue(conninfo: str) -> list[CataloguePhoto]:
    """Return the photos of all active products, ordered by SKU, then in the backend's display order.

    Raises psycopg.Error.
    """
    with (
        psycopg.connect(conninfo, **PARAMETERS) as connection,
        connection.cursor(row_factory=class_row(CataloguePhoto)) as cursor,
    ):
        return cursor.execute(QUERIES["active_photos"]).fetchall()
