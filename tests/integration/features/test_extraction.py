"""Features are computed once for each content and view, and what they rest on never gets mixed up."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bench.decode_photo import decode_photo
from tests.support.backbones import BOTH, backbone_of, random_backbone
from tests.support.catalogues import catalogue_of
from worker.backbone.backbone import FORMAT, Backbone
from worker.backbone.engine import litert_engine, make_engine, tensorflow_engine
from worker.catalogue.dataset import Dataset, prepare_dataset
from worker.catalogue.photo_files import fetch_photos
from worker.errors import ErrorCode, JobError
from worker.features.extraction import Extracted, Extractor
from worker.features.scratch import Scratch
from worker.features.store import FeatureStore
from worker.photos.augmentation import DEFINITION as AUGMENTATION
from worker.photos.augmentation import view_names
from worker.photos.decode import PREPARATION, SIDE, open_photo
from worker.photos.decoders import Decoders
from worker.photos.facts import photo_facts
from worker.photos.unreadable import SkipReason

ROOMY = 1 << 30
TWO = view_names(2)


@pytest.fixture(scope="module")
def backbone(cache: Path) -> Backbone:
    return random_backbone(cache)


@pytest.fixture
def storage(drawn_photos: Path, tmp_path: Path) -> Path:
    """A storage with three photos of each of the four drawn products, to change at will."""
    for folder in drawn_photos.iterdir():
        target = tmp_path / "storage" / "products" / folder.name
        target.mkdir(parents=True)
        for file in sorted(folder.iterdir())[:3]:
            shutil.copy(file, target)
    return tmp_path / "storage"


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "features", ROOMY)


def prepared(storage: Path) -> Dataset:
    return prepare_dataset(fetch_photos(catalogue_of(storage / "products"), storage), lambda done: None)


def extract(
    backbone: Backbone,
    store: FeatureStore,
    decoders: Decoders,
    dataset: Dataset,
    views: tuple[str, ...] = TWO,
    keep_tail_inputs: bool = False,
) -> Extracted:
    return Extractor(backbone, store, decoders, keep_tail_inputs).extract(dataset, views)


def kept(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def is_facts(entry: Path) -> bool:
    return b'"perceptual_hash"' in entry.read_bytes()


def all_of(rows: Scratch | None) -> npt.NDArray[Any]:
    assert rows is not None
    return rows.read(np.arange(len(rows)))


def test_what_was_computed_once_comes_from_the_store(
    backbone: Backbone, store: FeatureStore, decoders: Decoders, storage: Path
) -> None:
    dataset = prepared(storage)
    steps: list[int] = []
    first = Extractor(backbone, store, decoders, keep_tail_inputs=True).extract(dataset, TWO, steps.append)
    assert steps == list(range(1, 13))
    assert first.computed == 24
    assert first.features.shape == (12, 2, backbone.architecture.features)
    assert all_of(first.tail_inputs).shape == (12, 2, *backbone.architecture.tail_input)
    second = extract(backbone, store, decoders, dataset, keep_tail_inputs=True)
    assert second.computed == 0
    assert np.array_equal(all_of(second.features), all_of(first.features))
    assert np.array_equal(all_of(second.tail_inputs), all_of(first.tail_inputs))
    without = extract(backbone, store, decoders, dataset)
    assert (without.computed, without.tail_inputs) == (0, None)
    assert extract(backbone, store, decoders, dataset, view_names(3)).computed == 12


def test_ten_new_photos_are_all_that_is_computed(
    backbone: Backbone, store: FeatureStore, decoders: Decoders, storage: Path, drawn_photos: Path
) -> None:
    assert extract(backbone, store, decoders, prepared(storage)).computed == 24
    for folder, count in zip(sorted(drawn_photos.iterdir()), (5, 0, 4, 1), strict=True):
        for file in sorted(folder.iterdir())[3 : 3 + count]:
            shutil.copy(file, storage / "products" / folder.name)
    extracted = extract(backbone, store, decoders, prepared(storage))
    assert (len(extracted.features), extracted.computed) == (22, 20)


def test_a_photo_under_another_name_and_product_is_the_same_photo(
    backbone: Backbone, store: FeatureStore, decoders: Decoders, storage: Path
) -> None:
    extract(backbone, store, decoders, prepared(storage))
    first, second, *_ = sorted((storage / "products").iterdir())
    original = min(first.iterdir())
    shutil.copy(original, second / "copy.jpg")
    dataset = prepared(storage)
    extracted = extract(backbone, store, decoders, dataset)
    assert (len(extracted.features), extracted.computed) == (13, 0)
    names = [photo.path.name for photo in dataset.photos]
    one, other = names.index("copy.jpg"), names.index(original.name)
    assert dataset.sha256[one] == dataset.sha256[other]
    assert np.array_equal(extracted.features.read([one]), extracted.features.read([other]))


def test_other_weights_recipes_and_backbones_are_never_mixed_up(
    backbone: Backbone,
    store: FeatureStore,
    decoders: Decoders,
    storage: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset = prepared(storage)
    assert extract(backbone, store, decoders, dataset, ("whole",)).computed == 12
    others = replace(backbone, facts=replace(backbone.facts, weights_sha256="0" * 64))
    assert extract(others, store, decoders, dataset, ("whole",)).computed == 12
    changes: list[tuple[str, object]] = [
        ("worker.features.extraction.PREPARATION", {**PREPARATION, "fit": "cropped"}),
        ("worker.photos.augmentation.DEFINITION", {**AUGMENTATION, "stretch": 0.5}),
        ("worker.features.extraction.FORMAT", FORMAT + 1),
    ]
    for changed, value in changes:
        with monkeypatch.context() as patch:
            patch.setattr(changed, value)
            assert extract(backbone, store, decoders, dataset, ("whole",)).computed == 12
    assert extract(backbone, store, decoders, dataset, ("whole",)).computed == 0


def test_a_damaged_entry_is_computed_again(
    backbone: Backbone, store: FeatureStore, decoders: Decoders, storage: Path, tmp_path: Path
) -> None:
    dataset = prepared(storage)
    expected = all_of(extract(backbone, store, decoders, dataset).features)
    entries = [path for path in kept(tmp_path / "features") if not is_facts(path)]
    entries[3].write_bytes(entries[3].read_bytes()[:-1])
    entries[7].write_bytes(entries[8].read_bytes()[::-1])
    entries[11].unlink()
    again = extract(backbone, store, decoders, dataset)
    assert (again.computed, store.damaged) == (3, 2)
    assert np.array_equal(all_of(again.features), expected)
    assert extract(backbone, store, decoders, dataset).computed == 0


def test_facts_are_of_each_photo_and_come_from_the_store_without_decoding(
    backbone: Backbone,
    store: FeatureStore,
    decoders: Decoders,
    storage: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset = prepared(storage)
    first = extract(backbone, store, decoders, dataset)
    expected = [photo_facts(open_photo(photo.path, photo.path.read_bytes())) for photo in dataset.photos]
    assert list(first.facts) == expected
    assert len(set(expected)) == 12
    # Facts are the photo's alone: they stay what they are with other weights.
    others = replace(backbone, facts=replace(backbone.facts, weights_sha256="0" * 64))
    assert extract(others, store, decoders, dataset).facts == first.facts
    monkeypatch.setattr(Decoders, "prepare", None)
    again = extract(backbone, store, decoders, dataset)
    assert (again.facts, again.computed) == (first.facts, 0)


def test_facts_that_are_missing_or_of_another_recipe_are_computed_alone(
    backbone: Backbone,
    store: FeatureStore,
    decoders: Decoders,
    storage: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset = prepared(storage)
    first = extract(backbone, store, decoders, dataset)
    facts = [entry for entry in kept(tmp_path / "features") if is_facts(entry)]
    assert len(facts) == 12
    facts[0].unlink()
    facts[1].write_bytes(b"torn")
    monkeypatch.setattr("worker.features.extraction.make_engine", None)
    again = extract(backbone, store, decoders, dataset)
    assert (again.facts, again.computed, store.damaged) == (first.facts, 0, 1)
    assert [entry for entry in kept(tmp_path / "features") if is_facts(entry)] == facts
    with monkeypatch.context() as patch:
        patch.setattr("worker.features.extraction.FACTS", {"sharpness": "of another kind"})
        assert extract(backbone, store, decoders, dataset).computed == 0
    assert len([entry for entry in kept(tmp_path / "features") if is_facts(entry)]) == 24


def test_a_store_that_cannot_be_written_costs_time_only(
    backbone: Backbone, store: FeatureStore, decoders: Decoders, storage: Path, tmp_path: Path
) -> None:
    dataset = prepared(storage)
    expected = all_of(extract(backbone, store, decoders, dataset).features)
    (tmp_path / "file").write_text("not a folder")
    useless = FeatureStore(tmp_path / "file" / "features", ROOMY)
    for _ in range(2):
        extracted = extract(backbone, useless, decoders, dataset)
        assert extracted.computed == 24
        assert np.array_equal(all_of(extracted.features), expected)
    assert isinstance(useless.fault, NotADirectoryError)


def test_photos_that_are_none_or_vanished_are_left_out_with_their_reason(
    backbone: Backbone, store: FeatureStore, decoders: Decoders, storage: Path
) -> None:
    folder = min((storage / "products").iterdir())
    whole = min(folder.iterdir()).read_bytes()
    (folder / "a.jpg").write_text("no photo")
    (folder / "b.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "c.jpg").write_bytes(whole + b"end")
    (folder / "d.jpg").write_bytes(whole)
    dataset = prepared(storage)
    (folder / "c.jpg").unlink()
    extracted = extract(backbone, store, decoders, dataset)
    assert {Path(photo.photo).name: photo.reason for photo in extracted.dataset.skipped} == {
        "a.jpg": SkipReason.NOT_AN_IMAGE,
        "b.jpg": SkipReason.TRUNCATED,
        "c.jpg": SkipReason.MISSING,
    }
    names = [photo.path.name for photo in extracted.dataset.photos]
    assert (
        len(names) == len(extracted.features) == len(extracted.dataset.sha256) == len(extracted.facts) == 13
    )
    alone = litert_engine(backbone)
    for place in (0, names.index("d.jpg"), 12):
        seen = alone(decode_photo(extracted.dataset.photos[place].path)[None]).features[0]
        assert np.array_equal(extracted.features.read_at(np.array([place]), np.array([0]))[0], seen)
        path = extracted.dataset.photos[place].path
        assert extracted.facts[place] == photo_facts(open_photo(path, path.read_bytes()))


def test_too_few_readable_photos_are_too_few_photos(
    backbone: Backbone, store: FeatureStore, decoders: Decoders, storage: Path
) -> None:
    for file in sorted(storage.rglob("*.jpg"))[:3]:
        file.write_text(f"no photo, but bytes: {file}")
    with pytest.raises(JobError) as raised:
        extract(backbone, store, decoders, prepared(storage))
    assert raised.value.code == ErrorCode.INSUFFICIENT_PHOTOS
    assert "There are 9 usable photos of 3 active products (3 more could not be used)" in raised.value.message


def test_photos_that_vanish_are_the_storages_fault(
    backbone: Backbone, store: FeatureStore, decoders: Decoders, storage: Path
) -> None:
    dataset = prepared(storage)
    shutil.rmtree(storage / "products")
    with pytest.raises(JobError) as raised:
        extract(backbone, store, decoders, dataset)
    assert raised.value.code == ErrorCode.STORAGE_UNAVAILABLE


def test_a_photo_replaced_after_it_was_read_is_not_kept_as_what_it_was(
    backbone: Backbone, store: FeatureStore, decoders: Decoders, storage: Path
) -> None:
    dataset = prepared(storage)
    before, after = dataset.photos[0].path, dataset.photos[11].path
    original = before.read_bytes()
    before.write_bytes(after.read_bytes())
    assert extract(backbone, store, decoders, dataset).computed == 24
    before.write_bytes(original)
    again = extract(backbone, store, decoders, prepared(storage))
    assert again.computed == 2
    seen = litert_engine(backbone)(decode_photo(before)[None]).features[0]
    assert np.array_equal(again.features.read([0])[0, 0], seen)


def test_an_error_of_the_storage_ends_the_extraction(
    backbone: Backbone, store: FeatureStore, decoders: Decoders, storage: Path
) -> None:
    dataset = prepared(storage)
    dataset.photos[5].path.unlink()
    dataset.photos[5].path.mkdir()
    with pytest.raises(IsADirectoryError):
        extract(backbone, store, decoders, dataset)


def test_probing_looks_at_photos_from_first_to_last_and_leaves_them_in_the_store(
    backbone: Backbone, store: FeatureStore, decoders: Decoders, storage: Path, drawn_photos: Path
) -> None:
    for folder in drawn_photos.iterdir():
        for file in folder.iterdir():
            shutil.copy(file, storage / "products" / folder.name)
    dataset = prepared(storage)
    dataset.photos[0].path.unlink()
    dataset.photos[31].path.write_text("no photo")
    extractor = Extractor(backbone, store, decoders, keep_tail_inputs=False)
    assert extractor.probe(dataset, ("whole",)) == 16
    left = extractor.extract(dataset, ("whole",))
    assert left.computed == 30 - 14
    few = replace(
        dataset, photo_set=replace(dataset.photo_set, photos=dataset.photos[1:5]), sha256=dataset.sha256[1:5]
    )
    assert extractor.probe(few, ("whole",)) == 4


@pytest.mark.parametrize("name", BOTH)
def test_litert_and_tensorflow_agree(name: str, cache: Path, drawn_photos: Path) -> None:
    backbone = backbone_of(name, cache)
    import tensorflow as tf

    from worker.backbone.network import as_tensors, run_tail, run_trunk

    photos = [decode_photo(file) for file in sorted(drawn_photos.rglob("*.jpg"))[::8]]
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    views = np.stack([*photos, noise, np.zeros_like(noise), np.full_like(noise, 255)])
    architecture, tensors = backbone.architecture, as_tensors(backbone.layers)
    tail_inputs = run_trunk(architecture, tensors, tf.constant(views.astype(np.float32)))
    expected = run_tail(architecture, tensors, tail_inputs).numpy().astype(np.float16).astype(np.float32)
    for engine in (litert_engine(backbone), tensorflow_engine(backbone), make_engine(backbone)):
        seen = engine(views)
        assert seen.features.dtype == seen.tail_inputs.dtype == np.float16
        assert np.abs(seen.features - expected).max() <= 2e-3
        scale = np.abs(tail_inputs).max()
        assert np.abs(seen.tail_inputs - tail_inputs.numpy()).max() <= 2e-3 * scale
    assert np.abs(expected[0] - expected[1]).max() > 0.02, "unlike photos have unlike features"


def test_tensorflow_on_a_gpu_agrees_with_litert(backbone: Backbone, drawn_photos: Path) -> None:
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        pytest.skip("TensorFlow sees no GPU on this machine")
    views = np.stack([decode_photo(file) for file in sorted(drawn_photos.rglob("*.jpg"))[:4]])
    on_gpu, expected = make_engine(backbone)(views), litert_engine(backbone)(views)
    assert np.abs(on_gpu.features.astype(np.float32) - expected.features).max() <= 1e-2
