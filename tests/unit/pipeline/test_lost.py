"""Which products of the active model a job has lost: active ones that have photos, none of which is usable."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.catalogues import catalogue
from worker.catalogue.catalogue_photo import CataloguePhoto
from worker.catalogue.dataset import prepare_dataset
from worker.catalogue.photo_files import fetch_photos
from worker.job.job import ActiveModel
from worker.pipeline.lost import lost_products


def lost(folder: Path, rows: Sequence[CataloguePhoto], **metadata: object) -> list[str]:
    """The lost products of these rows, beside an active model of the products A, B and C."""
    said = {"labels": ["A", "B", "C"], "label_scheme": "sku"} | metadata
    (folder / "metadata.json").write_text(json.dumps(said))
    dataset = prepare_dataset(fetch_photos(rows, folder), lambda done: None)
    return [product.sku for product in lost_products(dataset, ActiveModel("v1", folder))]


@pytest.fixture
def rows(tmp_path: Path) -> list[CataloguePhoto]:
    return catalogue(tmp_path, {"A": 10, "B": 10, "C": 2, "D": 1})


@pytest.mark.parametrize("column", ["file_name", "name"])
def test_a_product_all_of_whose_rows_have_a_null_is_lost(
    tmp_path: Path, rows: list[CataloguePhoto], column: str
) -> None:
    null: dict[str, Any] = {column: None}
    assert lost(tmp_path, rows) == []
    assert lost(tmp_path, [replace(row, **null) if row.sku == "C" else row for row in rows]) == ["C"]


def test_a_product_whose_files_are_no_photos_of_it_any_more_is_lost(
    tmp_path: Path, rows: list[CataloguePhoto]
) -> None:
    (tmp_path / "products" / "C" / "0.jpg").unlink()
    assert lost(tmp_path, rows) == [], "one is left"
    (tmp_path / "products" / "C" / "1.jpg").write_bytes(b"")
    assert lost(tmp_path, rows) == ["C"]


def test_what_is_not_active_any_more_or_never_was_known_is_not_lost(
    tmp_path: Path, rows: list[CataloguePhoto]
) -> None:
    (tmp_path / "products" / "D" / "0.jpg").unlink()
    assert lost(tmp_path, [row for row in rows if row.sku != "C"]) == []
    assert lost(tmp_path, rows, labels=["0", "1", "C"], label_scheme="index") == []
