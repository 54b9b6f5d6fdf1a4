"""Creates a catalogue as a backend would: rows in "Products" and "ProductPhotos", files in the storage."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from worker.database.sql import load_queries

QUERIES = load_queries(Path(__file__).with_name("shop.sql"))
PHOTO_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".heic"})
ENOUGH = 6


@dataclass(frozen=True)
class Laid:
    """Numbers of created products and photos, and the pairs of SKU and photo kept back as samples."""

    products: int
    photos: int
    kept_back: tuple[tuple[str, Path], ...]


def lay_down(photos: Path, storage: Path, connection: psycopg.Connection[Any], keep_back: int = 12) -> Laid:
    """Create a product for each folder in `photos`, with the folder's name as SKU, and copy its photos.

    Keep back the last photo of each of the first `keep_back` products with at least ENOUGH photos.
    Raises FileNotFoundError where the folder is missing or has no photos.
    """
    folders = sorted(folder for folder in photos.iterdir() if folder.is_dir())
    total, kept_back = 0, list[tuple[str, Path]]()
    for folder in folders:
        product_id = uuid4()
        target = storage / "products" / str(product_id)
        target.mkdir(parents=True)
        name = folder.name.replace("-", " ").capitalize()
        connection.execute(QUERIES["insert_product"], {"id": product_id, "sku": folder.name, "name": name})
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in PHOTO_ENDINGS)
        if len(files) >= ENOUGH and len(kept_back) < keep_back:
            kept_back.append((folder.name, files.pop()))
        for order, file in enumerate(files):
            shutil.copy(file, target)
            row = {"id": uuid4(), "product_id": product_id, "file_name": file.name, "order": order}
            connection.execute(QUERIES["insert_photo"], row)
        total += len(files)
    if not total:
        raise FileNotFoundError(
            f"{photos} has no photos: it must hold one folder for each product, named by its SKU"
        )
    return Laid(len(folders), total, tuple(kept_back))
