"""Two published models are compared by their files, on photos that neither has trained on."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from demo.draw_catalogue import draw_catalogue
from tests.support.backbones import RANDOM_SETTINGS
from tests.support.published_here import QUICK, Published, Workshop
from worker.backbone.backbone import Backbone
from worker.backbone.layers import Layer, arrays
from worker.errors import ErrorCode, JobError
from worker.job.job import ActiveModel
from worker.job.options import Promote
from worker.job.promotion import Comparison
from worker.photos.decoders import Decoders
from worker.photos.decoding_limits import decoding_limits
from worker.pipeline.compare import HELD_OUT_FOLDER, TRAINED_ON, Incomparable, compare_published
from worker.pipeline.conclude import conclude
from worker.pipeline.published_model import PublishedModel
from worker.pipeline.version_files import write_held_out
from worker.training.warm_start import DIGITS


@pytest.fixture(scope="module")
def shop(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    shop = Workshop(tmp_path_factory.mktemp("shop"), cache, RANDOM_SETTINGS)
    draw_catalogue(shop.products, products=3, photos=36)
    return shop


@pytest.fixture(scope="module")
def good(shop: Workshop) -> Published:
    return shop.publish()


@pytest.fixture(scope="module")
def muddled(shop: Workshop, good: Published, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """The same photos, those that train under wrong products: who looks at what is held out sees no difference."""
    muddled = Workshop(tmp_path_factory.mktemp("muddled"), shop.cache, shop.settings)
    dataset, held_out = good.candidate.extracted.dataset, set(good.candidate.trained.held_out.tolist())
    skus = [product.sku for product in dataset.products]
    for place, photo in enumerate(dataset.photos):
        wrong = skus[(dataset.labels[place] + 1 + place % 2) % 3]
        muddled.add(photo.product.sku if place in held_out else wrong, [photo.path])
    return muddled


@pytest.fixture(scope="module")
def bad(muddled: Workshop, good: Published) -> Published:
    return muddled.publish(active=good.active)


@pytest.fixture
def copied(good: Published, tmp_path: Path) -> ActiveModel:
    """A copy of the good model, to be changed."""
    return ActiveModel("v1_copy", shutil.copytree(good.folder, tmp_path / "copied"))


def compared(new: Published, active: ActiveModel) -> Comparison:
    candidate = new.candidate
    with Decoders(decoding_limits(None)) as decoders:
        return compare_published(
            new.folder,
            active,
            candidate.extracted,
            candidate.trained.groups.of,
            candidate.trained.held_out,
            candidate.backbone,
            candidate.job.cache,
            decoders,
        )


def change(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_model_that_learnt_nonsense_does_not_take_the_place_of_a_good_one(
    good: Published, bad: Published
) -> None:
    promotion = bad.model.promotion
    assert promotion.comparison
    assert promotion.comparison.new_accuracy < promotion.comparison.active_accuracy
    assert not promotion.activate
    assert promotion.active_version == good.active.version
    assert promotion.reason.endswith("The new model was published and not activated.")
    assert "more than chance explains" in promotion.reason
    assert bad.metadata["promotion"]["comparison"]["photos"] == promotion.comparison.photos
    assert "published and not activated" in (bad.folder / "report.html").read_text()


def test_models_of_random_weights_say_that_they_recognise_nothing(good: Published) -> None:
    assert good.metadata["backbone"]["recognises_nothing"] is True
    assert good.metadata["backbone"]["weights"] == "random"
    assert "This model recognises nothing." in (good.folder / "report.html").read_text()


def test_a_good_model_takes_the_place_of_one_that_learnt_nonsense(good: Published, bad: Published) -> None:
    one, other = compared(good, bad.active), compared(bad, good.active)
    assert one.new_accuracy > one.active_accuracy
    assert (one.new_accuracy, one.active_accuracy) == (other.active_accuracy, other.new_accuracy), (
        "the same photos, asked in another order"
    )
    sides = (each.candidate for each in (good, bad))
    held_out = [
        {each.extracted.dataset.sha256[place] for place in each.trained.held_out.tolist()} for each in sides
    ]
    assert one.photos == other.photos == len(held_out[0] & held_out[1]) > 10
    assert one.products == 3


def test_extracted_features_answer_for_a_frozen_backbone_as_running_it_does(
    good: Published, bad: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Decoders, "prepare", None)
        fast = compared(good, bad.active)
    monkeypatch.setattr(PublishedModel, "is_frozen_in", lambda *_: False)
    slow = compared(good, bad.active)
    assert fast.photos == slow.photos
    for name in ("new_accuracy", "active_accuracy"):
        assert getattr(fast, name) == pytest.approx(getattr(slow, name), abs=1.5 / fast.photos)


def test_who_asks_for_it_gets_the_worse_model(good: Published, muddled: Workshop) -> None:
    options = QUICK.model_copy(update={"promote": Promote.ALWAYS})
    promotion = muddled.publish(options, active=good.active).model.promotion
    assert promotion.activate
    assert promotion.comparison
    assert promotion.comparison.new_accuracy < promotion.comparison.active_accuracy
    assert promotion.reason.endswith("activated, as the option promote is always.")


def test_a_photo_that_the_active_one_has_trained_on_is_not_asked(
    good: Published, copied: ActiveModel
) -> None:
    held_out, sha256 = good.candidate.trained.held_out.tolist(), good.candidate.extracted.dataset.sha256

    def trained_on(places: list[int]) -> Callable[[dict[str, Any]], object]:
        return lambda metadata: metadata[TRAINED_ON].extend(sha256[place][:DIGITS] for place in places)

    change(copied.folder / HELD_OUT_FOLDER / "metadata.json", trained_on(held_out[:2]))
    assert compared(good, copied).photos == len(held_out) - 2
    change(copied.folder / HELD_OUT_FOLDER / "metadata.json", trained_on(held_out))
    with pytest.raises(Incomparable, match="no photo of a product that the active model v1_copy knows too"):
        compared(good, copied)


def no_twin(folder: Path) -> None:
    shutil.rmtree(folder / HELD_OUT_FOLDER)


def torn_weights(folder: Path) -> None:
    shard = folder / "group1-shard1of2.bin"
    shard.write_bytes(shard.read_bytes()[:-100])


def torn_twin(folder: Path) -> None:
    shard = folder / HELD_OUT_FOLDER / "group1-shard2of2.bin"
    content = bytearray(shard.read_bytes())
    content[1000] ^= 1
    shard.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (no_twin, "No such file or directory"),
        (lambda folder: (folder / "metadata.json").unlink(), "No such file or directory"),
        (
            lambda folder: (folder / HELD_OUT_FOLDER / "metadata.json").write_text("{"),
            "metadata.json is damaged",
        ),
        (
            lambda folder: change(folder / HELD_OUT_FOLDER / "metadata.json", lambda m: m.pop(TRAINED_ON)),
            TRAINED_ON,
        ),
        (
            lambda folder: change(folder / HELD_OUT_FOLDER / "metadata.json", lambda m: m.pop("labels")),
            "labels",
        ),
        (torn_weights, "group1-shard1of2.bin is not as it was published"),
        (torn_twin, "group1-shard2of2.bin is not as it was published"),
        (shutil.rmtree, "No such file or directory"),
    ],
)
def test_an_active_model_that_cannot_be_read_is_named_with_the_reason(
    good: Published, copied: ActiveModel, damage: Callable[[Path], object], says: str
) -> None:
    damage(copied.folder)
    with pytest.raises(Incomparable) as raised:
        compared(good, copied)
    message = str(raised.value)
    assert message.startswith("The active model v1_copy could not be read: ")
    assert says in message
    assert message.endswith(".")
    assert not message.endswith("..")


def test_models_of_other_products_have_nothing_in_common(good: Published, copied: ActiveModel) -> None:
    for folder in (copied.folder, copied.folder / HELD_OUT_FOLDER):
        change(folder / "metadata.json", lambda metadata: metadata.update(labels=["X", "Y", "Z"]))
    with pytest.raises(Incomparable, match="that the active model v1_copy knows too"):
        compared(good, copied)


def test_only_products_that_both_know_are_asked_for(good: Published, copied: ActiveModel) -> None:
    labels = [product.sku for product in good.candidate.extracted.dataset.products]
    change(
        copied.folder / HELD_OUT_FOLDER / "metadata.json",
        lambda metadata: metadata.update(labels=[labels[0], "NEW", labels[2]]),
    )
    held_out = good.candidate.trained.held_out
    comparison = compared(good, copied)
    assert comparison.products == 2
    assert comparison.photos == (good.candidate.extracted.dataset.labels[held_out] != 1).sum()
    assert comparison.new_accuracy == comparison.active_accuracy, (
        "they are the same model, whatever it is called"
    )


def test_an_incomparable_active_model_gives_way_and_the_reason_says_why(
    good: Published, copied: ActiveModel
) -> None:
    """Another program's: it has no record of its files, and no twin."""
    no_twin(copied.folder)
    change(copied.folder / "metadata.json", lambda metadata: metadata.pop("files"))
    promotion = conclude(good.candidate, copied).promotion
    assert (promotion.activate, promotion.comparison) == (True, None)
    assert "The active model v1_copy could not be read: No such file or directory" in promotion.reason
    assert promotion.active_version == "v1_copy"


@pytest.mark.parametrize(("damage", "says"), [(no_twin, "is missing"), (torn_twin, "was changed")])
def test_a_damaged_active_model_does_not_give_way(
    good: Published, copied: ActiveModel, damage: Callable[[Path], object], says: str
) -> None:
    damage(copied.folder)
    with pytest.raises(JobError, match=f"The active model v1_copy is not whole: .* {says}") as raised:
        conclude(good.candidate, copied)
    assert raised.value.code == ErrorCode.OUTPUT_INCOMPLETE


def test_a_model_on_another_backbone_is_run_with_its_own_weights(
    good: Published, copied: ActiveModel
) -> None:
    backbone, twin = good.candidate.backbone, good.candidate.trained.held_out_model
    assert twin
    random = np.random.default_rng(5)
    others = {
        name: Layer(
            *(
                (array * random.uniform(0.3, 2.0, array.shape)).astype(np.float16).astype(np.float32)
                for array in (layer.kernel, layer.bias)
            )
        )
        for name, layer in backbone.layers.items()
    }
    publish_twin(backbone, others | {"head": Layer(twin.head.head.kernel, twin.head.head.bias)}, good, copied)
    other = compared(good, copied)
    same = compared(good, good.active)
    assert other.photos == same.photos
    assert other.new_accuracy == same.new_accuracy == same.active_accuracy
    assert other.active_accuracy < same.active_accuracy, "a head is of no use on features of another backbone"


def publish_twin(backbone: Backbone, layers: dict[str, Layer], good: Published, active: ActiveModel) -> None:
    folder = active.folder / HELD_OUT_FOLDER
    trained_on = json.loads((folder / "metadata.json").read_text())[TRAINED_ON]
    no_twin(active.folder)
    folder.mkdir()
    skus = [product.sku for product in good.candidate.extracted.dataset.products]
    values = {backbone.facts.slots[name]: array for name, array in arrays(layers).items()}
    backbone.template.with_weights(values, products=len(skus)).write(folder)
    write_held_out(skus, trained_on, (), folder)
