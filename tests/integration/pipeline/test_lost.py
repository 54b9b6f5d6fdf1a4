"""A product whose photos went missing does not go missing from the live model without a word."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.catalogues import catalogue_of
from tests.support.published_here import QUICK, Published, Workshop
from worker.catalogue.catalogue_photo import CataloguePhoto
from worker.job.advice import AdviceKind
from worker.job.job import ActiveModel
from worker.job.options import Promote
from worker.pipeline.conclude import conclude

LOST = 3


@pytest.fixture(scope="module")
def shop(cache: Path, drawn_photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A shop with four products, the last of which has 2 of 26 photos: fewer than a tenth."""
    shop = Workshop(tmp_path_factory.mktemp("shop"), cache)
    for number, folder in enumerate(sorted(drawn_photos.iterdir())):
        shop.add(folder.name, sorted(folder.iterdir())[: 2 if number == LOST else 8])
    return shop


@pytest.fixture(scope="module")
def rows(shop: Workshop) -> list[CataloguePhoto]:
    return catalogue_of(shop.products)


@pytest.fixture(scope="module")
def before(shop: Workshop, rows: list[CataloguePhoto]) -> Published:
    """The model of all products; after it, the last product's folder goes missing."""
    published = shop.publish()
    shutil.rmtree(shop.products / str(rows[-1].sku))
    return published


@pytest.fixture(scope="module")
def after(shop: Workshop, rows: list[CataloguePhoto], before: Published) -> Published:
    return shop.publish(active=before.active, rows=rows)


def test_a_product_that_the_active_model_knows_and_that_is_lost_blocks_the_new_one(
    before: Published, after: Published, rows: list[CataloguePhoto]
) -> None:
    sku = rows[-1].sku
    assert sku in before.metadata["labels"]
    assert sku not in after.metadata["labels"]
    promotion = after.model.promotion
    assert (promotion.activate, promotion.products_lost) == (False, (sku,))
    assert f"No photo of {sku}, which the active model knows, can be read." in promotion.reason
    [advice] = [each for each in after.model.advice if each.kind is AdviceKind.PRODUCTS_LOST]
    assert advice.skus == (sku,)
    assert advice.photos == tuple(f"products/{sku}/{row.file_name}" for row in rows[-2:])
    assert after.metadata["promotion"]["products_lost"] == [sku]
    report = (after.folder / "report.html").read_text()
    assert "Products whose photos are lost" in report
    assert f"No photo of {sku}, which the active model knows" in report


def test_who_asks_for_it_gets_the_model_without_the_product(before: Published, after: Published) -> None:
    always = QUICK.model_copy(update={"promote": Promote.ALWAYS})
    candidate = replace(after.candidate, job=replace(after.candidate.job, options=always))
    promotion = conclude(candidate, before.active).promotion
    assert (promotion.activate, len(promotion.products_lost)) == (True, 1)
    assert promotion.reason.endswith("activated, as the option promote is always.")


def test_a_product_that_the_active_model_does_not_know_or_no_model_is_active_is_nothing_lost(
    before: Published, after: Published, tmp_path: Path
) -> None:
    folder = shutil.copytree(before.folder, tmp_path / "other")
    metadata = json.loads((folder / "metadata.json").read_text())
    (folder / "metadata.json").write_text(json.dumps(metadata | {"labels": metadata["labels"][:-1]}))
    for active in (None, ActiveModel("other", folder)):
        assert conclude(after.candidate, active).promotion.products_lost == ()
