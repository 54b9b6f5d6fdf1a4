"""A time budget buys fewer views and epochs, or says how much time it would have to be."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.support.backbones import random_backbone
from tests.support.catalogues import catalogue_of
from tests.support.clock import Clock
from worker.backbone.backbone import Backbone
from worker.catalogue.dataset import Dataset, prepare_dataset
from worker.catalogue.photo_files import fetch_photos
from worker.errors import ErrorCode, JobError
from worker.features.extraction import Extracted, Extractor
from worker.features.store import FeatureStore
from worker.job.options import Profile
from worker.photos.augmentation import view_names
from worker.photos.decoders import Decoders
from worker.training.budget import Budget, plan_views

if TYPE_CHECKING:
    # TensorFlow takes seconds to import.
    from worker.training.fine_tune import Tuner


@pytest.fixture(scope="module")
def backbone(cache: Path) -> Backbone:
    return random_backbone(cache)


@pytest.fixture
def dataset(drawn_photos: Path, tmp_path: Path) -> Dataset:
    (tmp_path / "products").symlink_to(drawn_photos)
    return prepare_dataset(fetch_photos(catalogue_of(drawn_photos), tmp_path), lambda done: None)


@pytest.fixture
def extractor(backbone: Backbone, decoders: Decoders, tmp_path: Path) -> Extractor:
    return Extractor(backbone, FeatureStore(tmp_path / "features", 1 << 30), decoders, keep_tail_inputs=True)


def test_without_a_budget_nobody_looks_at_the_clock_or_a_photo(
    extractor: Extractor, dataset: Dataset
) -> None:
    assert plan_views(extractor, dataset, 8, Profile.STANDARD, Budget(None)) == 8
    assert extractor.extract(dataset, ("whole",)).computed == 32


def slowed(extractor: Extractor, clock: Clock, seconds: float) -> Extractor:
    """Each view of each photo takes so long on the test's clock, unless it is in the store."""
    extract = extractor._extract_one

    def extract_one(*arguments: object) -> object:
        found, computed = extract(*arguments)  # type: ignore[arg-type]
        clock.now += seconds * computed
        return found, computed

    extractor._extract_one = extract_one  # type: ignore[method-assign, assignment]
    return extractor


@pytest.mark.parametrize("profile", Profile)
def test_too_short_a_budget_says_how_long_it_would_have_to_be(
    extractor: Extractor, dataset: Dataset, clock: Clock, profile: Profile
) -> None:
    slow = slowed(extractor, clock, 0.1)
    with pytest.raises(JobError) as raised:
        plan_views(slow, dataset, 2, profile, Budget(0.001))
    assert raised.value.code == ErrorCode.TIME_BUDGET_TOO_SHORT
    assert "time_budget_seconds is 0.001, and" in raised.value.message
    [seconds] = re.findall(r"about (\d+) seconds", raised.value.message)
    assert 1 <= int(seconds) <= 60
    # Who follows the advice gets a model.
    assert plan_views(slow, dataset, 2, profile, Budget(float(seconds))) >= 1


@pytest.mark.parametrize(
    ("seconds", "profile", "views"),
    [
        # 32 photos, a second each and view; judging by 16 of them takes 64.
        (64 + 32 * 1.2, Profile.QUICK, 1),
        (64 + 32 * 2.4, Profile.QUICK, 2),
        (64 + 32 * 100, Profile.QUICK, 4),
        (64 + 32 * 2.6, Profile.STANDARD, 1),
        (64 + 32 * 5.1, Profile.STANDARD, 2),
        (64 + 32 * 7.0, Profile.THOROUGH, 2),
        # No time for anything else, but for that.
        (64 + 32 * 1.2, Profile.THOROUGH, 1),
        (64 + 32 * 1.0, Profile.QUICK, None),
        (64 + 32 * 1.0, Profile.STANDARD, None),
    ],
)
def test_as_many_views_are_taken_as_fit(
    extractor: Extractor, dataset: Dataset, clock: Clock, seconds: float, profile: Profile, views: int | None
) -> None:
    budget = Budget(seconds)
    slow = slowed(extractor, clock, 1.0)
    if views is None:
        with pytest.raises(JobError) as raised:
            plan_views(slow, dataset, 4, profile, budget)
        [needed] = re.findall(r"about (\d+) seconds", raised.value.message)
        assert int(needed) == math.ceil(64 + 32 / 0.9)
    else:
        assert plan_views(slow, dataset, 4, profile, budget) == views


def test_what_is_in_the_store_takes_no_time(extractor: Extractor, dataset: Dataset, clock: Clock) -> None:
    extractor.extract(dataset, view_names(3))
    assert plan_views(slowed(extractor, clock, 1.0), dataset, 3, Profile.STANDARD, Budget(5)) == 3


def test_new_products_at_the_catalogues_end_are_not_overlooked(
    extractor: Extractor, dataset: Dataset, clock: Clock
) -> None:
    known = dataset.without({})
    half = Dataset(type(known.photo_set)(known.photo_set.storage, known.photos[:16], ()), known.sha256[:16])
    extractor.extract(half, view_names(3))
    slow = slowed(extractor, clock, 1.0)
    # 16 photos are new; 8 of those that are looked at, which takes 24 seconds.
    assert plan_views(slow, dataset, 3, Profile.QUICK, Budget(24 + 16 * 2.4)) == 2


@pytest.fixture(scope="module")
def extracted(
    backbone: Backbone, decoders: Decoders, drawn_photos: Path, tmp_path_factory: pytest.TempPathFactory
) -> Extracted:
    folder = tmp_path_factory.mktemp("extracted")
    (folder / "products").symlink_to(drawn_photos)
    read = prepare_dataset(fetch_photos(catalogue_of(drawn_photos), folder), lambda done: None)
    store = FeatureStore(folder / "features", 1 << 30)
    return Extractor(backbone, store, decoders, keep_tail_inputs=True).extract(read, ("whole",))


@pytest.fixture(scope="module")
def tuner(backbone: Backbone, extracted: Extracted) -> "Tuner":
    """Compiles its graph at its first step, which takes seconds."""
    from worker.training.fine_tune import Tuner

    assert extracted.tail_inputs
    return Tuner(backbone.architecture, backbone.layers, extracted.tail_inputs, extracted.dataset.labels)


Tune = Callable[[int, float], tuple[int | None, list[int]]]


@pytest.fixture
def tune(
    backbone: Backbone,
    extracted: Extracted,
    tuner: "Tuner",
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> Tune:
    """Fine-tunes for at most so many epochs and seconds, where a step takes a second, and an epoch of so few photos
    is six steps; tells how many epochs it were, and those it told of."""
    step = tuner._step

    def in_a_second(*arguments: object) -> object:
        clock.now += 1
        return step(*arguments)

    monkeypatch.setattr(tuner, "_step", in_a_second)

    def tune(epochs: int, seconds: float) -> tuple[int | None, list[int]]:
        told: list[int] = []
        tuned = tuner.run(
            np.arange(0, 32, 2),
            epochs=epochs,
            seed=0,
            seconds=seconds,
            on_epoch=lambda epoch: told.append(epoch.of),
        )
        if tuned:
            assert set(tuned.tail) < set(backbone.layers)
            assert extracted.tail_inputs
            features = tuner.features(extracted.tail_inputs, np.arange(1, 32, 2))
            assert features.shape == (16, backbone.architecture.features)
            assert np.isfinite(features).all()
        return (tuned.epochs if tuned else None), told

    return tune


# The speed is known after six steps.
@pytest.mark.parametrize("seconds", [3, 6 + 3 * 6 - 1])
def test_fine_tuning_gives_up_where_three_epochs_would_not_fit(tune: Tune, seconds: float) -> None:
    epochs, told = tune(12, seconds)
    assert epochs is None
    assert len(told) <= 1


def test_fine_tuning_takes_as_many_epochs_as_fit(tune: Tune) -> None:
    epochs, told = tune(500, 6 + 3 * 6 + 1)
    assert epochs == 3
    assert (len(told), told[-1]) == (3, 3)


@pytest.mark.parametrize("epochs", [1, 2])
def test_who_asks_for_few_epochs_gets_them(tune: Tune, epochs: int) -> None:
    assert tune(epochs, math.inf) == (epochs, [epochs] * epochs)
