"""A photo that ended its decoder is remembered by its content, and not tried again until something has changed."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.backbones import random_backbone
from tests.support.catalogues import catalogue_of
from worker.backbone.backbone import Backbone
from worker.catalogue.dataset import Dataset, prepare_dataset
from worker.catalogue.photo_files import fetch_photos
from worker.features.extraction import Extractor
from worker.features.store import FeatureStore
from worker.photos import decoder_process
from worker.photos.decoders import Decoders
from worker.photos.decoding_limits import DecodingLimits
from worker.photos.unreadable import SkipReason

LIMITS = DecodingLimits(2, cpu_seconds=0.3, idle_seconds=0.5)
SKIPPED = {"crash": SkipReason.DECODER_CRASHED, "spin": SkipReason.TOO_SLOW}


@pytest.fixture(scope="module")
def backbone(cache: Path) -> Backbone:
    return random_backbone(cache)


@pytest.fixture
def products(drawn_photos: Path, tmp_path: Path) -> Path:
    """Photos of four products, of which two fail: their names say so, and their contents are their own."""
    products = tmp_path / "storage" / "products"
    for folder in sorted(drawn_photos.iterdir()):
        (products / folder.name).mkdir(parents=True)
        for file in sorted(folder.iterdir())[:3]:
            shutil.copy(file, products / folder.name)
    for fault, folder in zip(SKIPPED, sorted(products.iterdir()), strict=False):
        (folder / f"{fault}.jpg").write_bytes(min(folder.iterdir()).read_bytes() + fault.encode())
    return products


@pytest.fixture
def dataset(products: Path) -> Dataset:
    storage = products.parent
    return prepare_dataset(fetch_photos(catalogue_of(products), storage), lambda done: None)


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Decoders]:
    monkeypatch.setattr(decoder_process, "MODULE", "tests.support.faulty_decoder")
    with Decoders(LIMITS) as decoders:
        yield decoders


def skipped(
    backbone: Backbone, store: FeatureStore, decoders: Decoders, dataset: Dataset
) -> dict[str, SkipReason]:
    extracted = Extractor(backbone, store, decoders, keep_tail_inputs=False).extract(dataset, ("whole",))
    assert len(extracted.facts) == 12
    return {Path(photo.photo).stem: photo.reason for photo in extracted.dataset.skipped}


def tries(products: Path) -> int:
    """How often decoding a photo that fails was begun; starts again from 0."""
    logs = list(products.rglob("log"))
    begun = [line for log in logs for line in log.read_text().splitlines() if line.startswith("begin")]
    for log in logs:
        log.unlink()
    return sum(line.removeprefix("begin ").removesuffix(".jpg") in SKIPPED for line in begun)


def test_a_photo_that_failed_is_skipped_by_later_jobs_without_a_try(
    backbone: Backbone,
    faulty: Decoders,
    products: Path,
    dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = FeatureStore(tmp_path / "features", 1 << 30)
    for expected in (4, 0):
        assert skipped(backbone, store, faulty, dataset) == SKIPPED
        assert tries(products) == expected
    # Another decoder may be able to.
    monkeypatch.setattr("worker.features.failed_decoding.decoder_versions", lambda: {"pil": "14"})
    assert skipped(backbone, store, faulty, dataset) == SKIPPED
    assert tries(products) == 4
    # So may ours, with more time.
    with Decoders(replace(LIMITS, cpu_seconds=0.4)) as slower:
        assert skipped(backbone, store, slower, dataset) == SKIPPED
    assert tries(products) == 4


def test_without_a_store_it_is_remembered_for_the_job(
    backbone: Backbone, faulty: Decoders, products: Path, dataset: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    extractor = Extractor(backbone, FeatureStore(tmp_path / "file" / "features", 1 << 30), faulty, False)
    for expected in (4, 0):
        assert len(extractor.extract(dataset, ("whole",)).dataset.skipped) == 2
        assert tries(products) == expected
