"""Nothing is trained where nothing that makes a model has changed; whatever has, or is in doubt, is trained."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.made_photos import contents, made_photos
from worker.catalogue.dataset import Dataset
from worker.catalogue.photo_files import Product
from worker.job.job import ActiveModel
from worker.job.options import Options, Profile, Promote
from worker.pipeline.fingerprint import fingerprint
from worker.pipeline.unchanged import is_unchanged

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


def active(folder: Path, options: Options, **changes: object) -> ActiveModel:
    """An active model that says of itself that it came of these options."""
    training = options.model_dump(mode="json") | {"method": "lda, shrinkage 0.3", "reason": "", "views": 4}
    metadata = {"fingerprint": made_of(), "training": training} | changes
    (folder / "metadata.json").write_text(json.dumps(metadata))
    return ActiveModel("v1767225600_20260101", folder)


GIVEN = Options(profile=Profile.QUICK, negatives=("BAG",), seed=3)


def test_the_same_photos_and_options_give_the_same_model(tmp_path: Path) -> None:
    model = active(tmp_path, GIVEN)
    assert is_unchanged(model, made_of(), GIVEN)
    assert not is_unchanged(model, made_of(weights="cd" * 32), GIVEN)


@pytest.mark.parametrize(
    "changes",
    [
        {"profile": Profile.STANDARD},
        {"seed": 4},
        {"epochs": 2},
        {"time_budget_seconds": 60.0},
        {"negatives": ()},
        {"force": True},
    ],
)
def test_another_option_or_force_is_reason_enough_to_train(tmp_path: Path, changes: dict[str, Any]) -> None:
    asked = GIVEN.model_copy(update=changes)
    assert not is_unchanged(active(tmp_path, GIVEN), made_of(), asked)


@pytest.mark.parametrize("promote", Promote)
def test_what_is_done_with_the_model_does_not_matter(tmp_path: Path, promote: Promote) -> None:
    forced = GIVEN.model_copy(update={"promote": Promote.NEVER, "force": True})
    assert is_unchanged(active(tmp_path, forced), made_of(), GIVEN.model_copy(update={"promote": promote}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"fingerprint": "x"}',
        '{"fingerprint": "x", "training": null}',
        '{"fingerprint": "x", "training": {"profile": "slow"}}',
        '{"fingerprint": "x", "training": {"epochs": "many"}}',
        "\xff\xfe",
    ],
)
def test_a_model_that_cannot_say_what_it_came_of_is_trained_anew(tmp_path: Path, text: str) -> None:
    model = active(tmp_path, GIVEN)
    (tmp_path / "metadata.json").write_bytes(text.replace("x", made_of()).encode("latin-1"))
    assert not is_unchanged(model, made_of(), GIVEN)
    (tmp_path / "metadata.json").unlink()
    assert not is_unchanged(model, made_of(), GIVEN)


def test_a_model_of_a_time_before_an_option_counts_as_of_its_default(tmp_path: Path) -> None:
    model = active(tmp_path, Options())
    metadata = json.loads((tmp_path / "metadata.json").read_text())
    del metadata["training"]["negatives"]
    (tmp_path / "metadata.json").write_text(json.dumps(metadata))
    assert is_unchanged(model, made_of(), Options())
    assert not is_unchanged(model, made_of(), GIVEN)
