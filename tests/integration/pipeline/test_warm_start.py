"""Where nearly all photos are the same, fine-tuning goes on from the active model, and is measured as honestly."""

import json
from pathlib import Path

import pytest

from demo.draw_catalogue import draw_catalogue
from tests.support.backbones import RANDOM_SETTINGS, random_backbone
from tests.support.published_here import Published, Workshop
from worker.job.options import Options, Profile
from worker.pipeline.compare import HELD_OUT_FOLDER, TAIL_TRAINED_ON, TRAINED_ON
from worker.pipeline.find_warm_start import find_warm_start
from worker.training.warm_start import DIGITS

STANDARD = Options(profile=Profile.STANDARD, epochs=3)


@pytest.fixture(scope="module")
def shop(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    shop = Workshop(tmp_path_factory.mktemp("shop"), cache, RANDOM_SETTINGS)
    draw_catalogue(shop.products, products=3, photos=36)
    return shop


@pytest.fixture(scope="module")
def first(shop: Workshop) -> Published:
    return shop.publish(STANDARD)


@pytest.fixture(scope="module")
def second(shop: Workshop, first: Published, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """With three photos more."""
    more = tmp_path_factory.mktemp("more")
    draw_catalogue(more, products=3, photos=37)
    for product in more.iterdir():
        [*_, last] = sorted(product.iterdir())
        shop.add(product.name, [last])
    return shop.publish(STANDARD, active=first.active)


def held_out(published: Published) -> dict[str, list[str]]:
    said: dict[str, list[str]] = json.loads(
        (published.folder / HELD_OUT_FOLDER / "metadata.json").read_text()
    )
    return said


def test_it_goes_on_from_the_active_model_for_an_epoch(first: Published, second: Published) -> None:
    assert first.metadata["training"]["method"] == "fine-tuned, 3 epochs"
    assert first.metadata["training"]["started_from"] is None
    assert second.metadata["training"]["method"] == "fine-tuned, 1 epoch"
    assert second.metadata["training"]["started_from"] == first.active.version
    assert second.metadata["counts"]["photos"] == first.metadata["counts"]["photos"] + 3


def test_what_measures_it_has_not_trained_the_tail_that_answers(first: Published, second: Published) -> None:
    before, after = held_out(first), held_out(second)
    assert before[TAIL_TRAINED_ON]
    assert after[TAIL_TRAINED_ON] == before[TAIL_TRAINED_ON]
    assert set(after[TAIL_TRAINED_ON]) <= set(after[TRAINED_ON])
    candidate = second.candidate
    sha256 = [digest[:DIGITS] for digest in candidate.extracted.dataset.sha256]
    photos = {sha256[index] for index in candidate.trained.held_out.tolist()}
    assert photos.isdisjoint(after[TRAINED_ON])
    assert f"on {len(photos)} photos held out" in candidate.trained.reason
    comparison = second.model.promotion.comparison
    assert comparison
    assert comparison.photos == len(photos & (set(sha256) - set(before[TRAINED_ON])))


def test_a_new_start_is_made_where_anything_but_a_few_photos_is_another(
    first: Published, second: Published, cache: Path
) -> None:
    dataset, backbone = second.candidate.extracted.dataset, second.candidate.backbone
    assert find_warm_start(first.active, dataset, backbone, STANDARD)
    assert find_warm_start(None, dataset, backbone, STANDARD) is None
    for options in ({"force": True}, {"seed": 1}, {"epochs": 4}, {"profile": Profile.THOROUGH}):
        assert find_warm_start(first.active, dataset, backbone, STANDARD.model_copy(update=options)) is None
    assert random_backbone(cache).facts == backbone.facts
