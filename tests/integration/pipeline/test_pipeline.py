"""Whole jobs on catalogues as bad as they come, in this process: a model comes out, or a sentence says why not."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.support.catalogues import catalogue_of
from tests.support.published_here import QUICK, Published, Workshop
from worker.backbone.template import Template
from worker.daemon.child_process import thread_settings
from worker.errors import ErrorCode, JobError
from worker.job.advice import AdviceKind
from worker.job.job import ActiveModel
from worker.job.options import Promote
from worker.job.outcome import Unchanged
from worker.job.progress import BackboneChosen, PhotoSkipped
from worker.pipeline.compare import TRAINED_ON
from worker.pipeline.conclude import conclude
from worker.training.warm_start import DIGITS

FORCE = QUICK.model_copy(update={"force": True})


@pytest.fixture
def shop(cache: Path, tmp_path: Path) -> Workshop:
    """A shop without a product."""
    return Workshop(tmp_path, cache)


@pytest.fixture(scope="module")
def stocked(cache: Path, drawn_photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A shop with four products."""
    shop = Workshop(tmp_path_factory.mktemp("stocked"), cache)
    stock(shop, drawn_photos, photos=8)
    return shop


@pytest.fixture(scope="module")
def published(stocked: Workshop) -> Published:
    return stocked.publish()


def stock(shop: Workshop, drawn_photos: Path, photos: int, products: int = 4) -> None:
    for folder in sorted(drawn_photos.iterdir())[:products]:
        shop.add(folder.name, sorted(folder.iterdir())[:photos])


def weights(folder: Path) -> dict[str, npt.NDArray[Any]]:
    return dict(Template.read(folder).weights)


def assert_alike(one: Path, other: Path) -> None:
    """Two models are the same but for the last bits of half precision."""
    mine, theirs = weights(one), weights(other)
    assert mine.keys() == theirs.keys()
    for name, array in mine.items():
        scale = float(np.abs(array.astype(np.float32)).max())
        assert np.allclose(array, theirs[name], rtol=2e-3, atol=2e-3 * scale), name


def test_what_is_said_of_a_model_fits_its_places(published: Published) -> None:
    metadata, said = published.metadata, json.loads(published.model.accuracy_metrics)
    assert len(published.model.accuracy_metrics) <= 2000
    assert said["photos"] == 32
    assert metadata["counts"] == {"products": 4, "photos": 32, "negatives": 0, "broken_colour_profiles": 0}
    assert metadata["accuracy"]["top1"] == said["top1"] > 0.3
    assert metadata["rejection"]["near"]["auroc"] == said["near_auroc"]
    assert (metadata["rejection"]["far"], said["far_auroc"]) == (None, None)
    report = (published.folder / "report.html").read_text()
    assert all(sku in report for sku in metadata["labels"])


def test_a_model_says_which_network_looks_at_photos(published: Published, stocked: Workshop) -> None:
    described = published.metadata["backbone"]
    assert described["architecture"] == "efficientnet_lite0"
    assert described["name"] == "EfficientNet-Lite0"
    assert described["weights"] == "efficientnet-lite0-57934424.pth"
    assert described["recognises_nothing"] is False
    assert described["reason"] == "BACKBONE is efficientnet_lite0."
    [chosen] = [update for update in stocked.heard if isinstance(update, BackboneChosen)][:1]
    assert (chosen.backbone, chosen.weights) == (described["architecture"], described["weights"])
    assert chosen.reason == described["reason"]


def test_the_twin_says_which_photos_trained_it(published: Published) -> None:
    twin = json.loads((published.folder / "held_out" / "metadata.json").read_text())
    sha256 = published.candidate.extracted.dataset.sha256
    held_out = {sha256[place][:DIGITS] for place in published.candidate.trained.held_out.tolist()}
    assert twin["labels"] == published.metadata["labels"]
    assert len(held_out) > 0
    assert held_out.isdisjoint(twin[TRAINED_ON])
    assert held_out | set(twin[TRAINED_ON]) == {digest[:DIGITS] for digest in sha256}
    assert any(
        not np.array_equal(array, weights(published.folder / "held_out")[name])
        for name, array in weights(published.folder).items()
    )


def test_a_conclusion_may_be_drawn_again_when_another_model_is_active(
    stocked: Workshop, published: Published
) -> None:
    other = stocked.publish(FORCE)
    again = conclude(published.candidate, other.active)
    assert again.promotion.active_version == other.folder.name
    assert again.promotion.comparison
    assert published.metadata["promotion"]["active_version"] == other.folder.name
    assert again.accuracy_metrics == published.model.accuracy_metrics
    assert conclude(published.candidate, None) == published.model


def test_two_products_with_ten_photos_are_enough(shop: Workshop, drawn_photos: Path) -> None:
    stock(shop, drawn_photos, photos=5, products=2)
    published = shop.publish()
    said = json.loads(published.model.accuracy_metrics)
    assert (said["photos"], said["products"]) == (10, 2)
    assert said["near_auroc"] is None, "of two products none can be left out"
    assert published.model.promotion.activate


def test_photos_that_are_all_one_make_a_model_of_which_nothing_is_known(
    shop: Workshop, drawn_photos: Path
) -> None:
    photo = min(drawn_photos.rglob("*.jpg"))
    for sku in ("A", "B"):
        shop.add(sku, [])
        for number in range(6):
            shutil.copy(photo, shop.products / sku / f"{number}.jpg")
    published = shop.publish()
    said, metadata = json.loads(published.model.accuracy_metrics), published.metadata
    assert (said["top1"], said["photos"]) == (None, 0)
    assert "accept" not in said
    assert metadata["rejection"] is None
    assert not (published.folder / "held_out").exists()
    assert "<html" in (published.folder / "report.html").read_text()
    kinds = {advice.kind.value for advice in published.model.advice}
    assert {"not_measured", "same_photo"} <= kinds
    promotion = shop.publish(FORCE, active=published.active).model.promotion
    assert promotion.activate
    assert promotion.reason == (
        "There was no photo that neither model had trained on. The new model was activated."
    )


def test_a_photo_saved_again_under_another_product_is_found_and_never_measured(
    shop: Workshop, drawn_photos: Path
) -> None:
    stock(shop, drawn_photos, photos=6, products=3)
    one, other, _ = sorted(shop.products.iterdir())
    original = min(one.iterdir())
    with Image.open(original) as photo:
        # Without any loss, so that it is the same photo for certain.
        photo.save(other / "again.png")
    published = shop.publish()
    [advice] = [each for each in published.model.advice if each.kind is AdviceKind.SAME_PHOTO]
    names = {f"products/{one.name}/{original.name}", f"products/{other.name}/again.png"}
    assert set(advice.photos) == names
    measured = published.candidate.trained.measured.indices.tolist()
    photos = published.candidate.extracted.dataset.photos
    assert names.isdisjoint(photos[place].name for place in measured)
    assert len(measured) > 0


def test_photos_of_other_things_teach_what_is_not_ours_and_are_no_product(
    shop: Workshop, drawn_photos: Path
) -> None:
    stock(shop, drawn_photos, photos=6, products=3)
    elsewhere = sorted(drawn_photos.iterdir())[3]
    shop.add("BAG", sorted(elsewhere.iterdir())[:4])
    negatives = shop.folder / "storage" / "negatives" / "shelf"
    negatives.mkdir(parents=True)
    for photo in sorted(elsewhere.iterdir())[4:]:
        shutil.copy(photo, negatives)
    (negatives / "notes.txt").write_text("no photo")
    (negatives / ".DS_Store").write_text("not even looked at")
    published = shop.publish(QUICK.model_copy(update={"negatives": ("BAG",)}))
    metadata, said = published.metadata, json.loads(published.model.accuracy_metrics)
    assert "BAG" not in metadata["labels"]
    assert metadata["counts"] == {"products": 3, "photos": 18, "negatives": 8, "broken_colour_profiles": 0}
    assert metadata["skipped"]["counts"] == {"not_an_image": 1}
    assert said["far_auroc"] == metadata["rejection"]["far"]["auroc"]
    assert 0 <= said["far_auroc"] <= 1
    assert metadata["rejection"]["far"]["photos"] == 8
    skipped = [update for update in shop.heard if isinstance(update, PhotoSkipped)]
    assert [(update.photo, update.reason) for update in skipped] == [
        ("negatives/shelf/notes.txt", "not_an_image")
    ]


def test_negatives_that_nobody_knows_are_refused_by_name(shop: Workshop, drawn_photos: Path) -> None:
    stock(shop, drawn_photos, photos=5, products=2)
    with pytest.raises(JobError) as raised:
        shop.train(QUICK.model_copy(update={"negatives": ("NO-SUCH", "ALSO-NOT")}))
    assert raised.value.code == ErrorCode.INVALID_OPTIONS
    assert "negatives: no active product with photos has the SKU ALSO-NOT, NO-SUCH." in raised.value.message
    sku = min(shop.products.iterdir()).name
    with pytest.raises(JobError) as raised:
        shop.train(QUICK.model_copy(update={"negatives": (sku,)}))
    assert raised.value.code == ErrorCode.INSUFFICIENT_PHOTOS


def test_the_same_photos_in_another_order_of_rows_give_the_same_model(
    stocked: Workshop, published: Published
) -> None:
    rows = catalogue_of(stocked.products)
    order = np.random.default_rng(0).permutation(len(rows))
    other = stocked.publish(rows=[rows[place] for place in order])
    assert other.metadata["labels"] == published.metadata["labels"]
    assert other.model.accuracy_metrics == published.model.accuracy_metrics
    assert other.metadata["fingerprint"] == published.metadata["fingerprint"]
    assert other.metadata["rejection"] == published.metadata["rejection"]
    for part in ("", "held_out"):
        assert_alike(other.folder / part, published.folder / part)


def test_where_nothing_has_changed_nothing_is_trained_unless_it_is_asked_for(
    stocked: Workshop, published: Published
) -> None:
    active = published.active
    rows = catalogue_of(stocked.products)
    never = QUICK.model_copy(update={"promote": Promote.NEVER})
    assert stocked.train(active=active) == Unchanged(active.version)
    assert stocked.train(active=active, rows=rows[::-1]) == Unchanged(active.version)
    assert stocked.train(never, active=active) == Unchanged(active.version)
    assert not isinstance(stocked.train(FORCE, active=active), Unchanged)
    assert not isinstance(stocked.train(active=active, rows=rows[1:]), Unchanged)
    (active.folder / "metadata.json").rename(active.folder / "kept.json")
    try:
        assert not isinstance(stocked.train(active=active), Unchanged)
    finally:
        (active.folder / "kept.json").rename(active.folder / "metadata.json")


def test_where_nothing_has_changed_but_the_active_model_is_damaged_the_job_says_so(
    stocked: Workshop, published: Published, tmp_path: Path
) -> None:
    folder = shutil.copytree(published.folder, tmp_path / "copied")
    mapping = folder / "product_mapping.json"
    mapping.write_bytes(mapping.read_bytes()[::-1])
    with pytest.raises(JobError, match=r"product_mapping.json was changed after it was published") as raised:
        stocked.train(active=ActiveModel("copied", folder))
    assert raised.value.code == ErrorCode.OUTPUT_INCOMPLETE


def published_on(cores: int, stocked: Workshop) -> dict[str, bytes]:
    """The files of a model trained by a process that may use so many cores, with the threads that a child gets."""
    folder = stocked.folder / f"on {cores} cores"
    folder.mkdir()
    (folder / "storage").symlink_to(stocked.folder / "storage")
    subprocess.run(
        [sys.executable, "-m", __name__, str(folder), str(stocked.cache), str(cores)],
        env=os.environ | thread_settings(),
        check=True,
    )
    [model] = folder.glob("v*")
    return {
        str(path.relative_to(model)): path.read_bytes()
        for path in [*model.rglob("*.bin"), *model.rglob("model.json")]
    }


def test_one_core_gives_the_same_model_as_many_bit_for_bit(stocked: Workshop) -> None:
    one, many = published_on(1, stocked), published_on(len(os.sched_getaffinity(0)), stocked)
    assert len(one) >= 4
    assert one == many


if __name__ == "__main__":
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[3])])
    Workshop(Path(sys.argv[1]), Path(sys.argv[2])).publish()
