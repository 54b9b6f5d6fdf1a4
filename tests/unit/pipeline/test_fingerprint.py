"""Whatever makes a model is in its fingerprint, and nothing else."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.made_photos import contents, made_photos
from worker.catalogue.dataset import Dataset
from worker.catalogue.photo_files import Product
from worker.pipeline.fingerprint import fingerprint

WEIGHTS = "ab" * 32


def photos_of(labels: list[int], seed: int = 0) -> Dataset:
    few = np.ones((len(labels), 4), np.float32)
    return made_photos(few, np.array(labels), sha256=contents(len(labels), seed)).dataset


DATASET, NEGATIVES = photos_of([0, 0, 1, 1]), photos_of([0, 0], seed=1)


def with_photo(dataset: Dataset, place: int, **changes: Any) -> Dataset:
    """The dataset with something else about one of its photos."""
    photos = list(dataset.photos)
    photos[place] = replace(photos[place], **changes)
    return replace(dataset, photo_set=replace(dataset.photo_set, photos=tuple(photos)))


def made_of(dataset: Dataset = DATASET, negatives: Dataset = NEGATIVES, weights: str = WEIGHTS) -> str:
    return fingerprint(dataset, negatives, weights)


def test_neither_the_order_of_rows_nor_the_names_of_files_matter() -> None:
    backwards = Dataset(
        replace(DATASET.photo_set, photos=DATASET.photos[::-1]), tuple(reversed(DATASET.sha256))
    )
    assert made_of(backwards) == made_of()
    assert made_of(with_photo(DATASET, 0, name="products/x/other.jpg", path=Path("/other.jpg"))) == made_of()


def test_everything_that_makes_a_model_matters() -> None:
    first = DATASET.photos[0].product
    others = {
        "another photo": made_of(replace(DATASET, sha256=(*DATASET.sha256[:3], "c" * 64))),
        "a photo less": made_of(photos_of([0, 0, 1])),
        "a copy of a photo": made_of(
            Dataset(
                replace(DATASET.photo_set, photos=(*DATASET.photos, DATASET.photos[0])),
                (*DATASET.sha256, DATASET.sha256[0]),
            )
        ),
        "a photo of another product": made_of(with_photo(DATASET, 0, product=DATASET.photos[3].product)),
        "a product's other name": made_of(
            with_photo(DATASET, 0, product=Product(first.product_id, first.sku, "Other"))
        ),
        "a product's other SKU": made_of(
            with_photo(DATASET, 0, product=Product(first.product_id, "SKU-X", first.name))
        ),
        "no negatives": made_of(negatives=photos_of([])),
        "other negatives": made_of(negatives=photos_of([0, 0], seed=2)),
        "another backbone": made_of(weights="cd" * 32),
    }
    assert len({made_of(), *others.values()}) == 1 + len(others), others


@pytest.mark.parametrize("name", ["FORMAT", "PREPARATION", "AUGMENTATION", "TRAINING"])
def test_another_way_to_make_a_model_matters(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = made_of()
    monkeypatch.setattr(f"worker.pipeline.fingerprint.{name}", "another")
    assert made_of() != before
