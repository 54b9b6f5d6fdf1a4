"""Training sets are drawn alike on every machine, and never contain a photo that models are measured on."""

import csv
from pathlib import Path

import pytest

from bench.train.backbones import ask_backbone
from bench.train.collection import draw_set, read_sets
from bench.train.photos import PhotoSet, WrongInput

SKUS = "ABCDEFGH"
SHOWN = "BDFG"
"""The products that the split dev shows, on three photos each."""


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """Eight products of ten photos for training; the set `small` has seven photos of three of them."""
    rows = [("train", sku, number) for sku in SKUS for number in range(10)]
    rows += [("dev", sku, number) for sku in SHOWN for number in range(3)]
    small = {("A", 0), ("A", 1), ("A", 2), ("C", 0), ("C", 1), ("H", 0), ("H", 1)}
    with (tmp_path / "photos.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["split", "sku", "name", "file", "small", "empty"])
        for split, sku, number in rows:
            path = f"{split}/{sku}/{number}.jpg"
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(path.encode())
            inside = split == "train" and (sku, number) in small
            table.writerow([split, sku, f"Product {sku}", path, int(inside), 0])
    return tmp_path


def skus(photos: PhotoSet) -> set[str]:
    return {photo.sku for photo in photos.photos}


def test_named_sets_are_followed_by_drawn_ones(collection: Path) -> None:
    named, *drawn = read_sets(collection, "dev", ["small"], 3)
    assert [photos.seed for photos in (named, *drawn)] == [None, 0, 1, 2]
    assert {photos.name for photos in drawn} == {"small"}
    assert skus(named) == {"A", "C", "H"}
    assert named.withheld == collection / "dev"


def test_drawn_sets_have_the_size_of_the_named_one(collection: Path) -> None:
    for drawn in read_sets(collection, "dev", ["small"], 5)[1:]:
        numbers = sorted(sum(photo.sku == sku for photo in drawn.photos) for sku in skus(drawn))
        assert numbers == [2, 2, 3]


def test_the_same_seed_draws_the_same_set_in_any_order_of_photos(collection: Path) -> None:
    named, *drawn = read_sets(collection, "dev", ["small"], 4)
    [everything] = read_sets(collection, "dev", [None])
    for seed, photos in enumerate(drawn):
        assert draw_set(named, everything.photos[::-1], seed) == photos
    assert len({photos.photos for photos in drawn}) == 4


def test_a_seed_draws_what_it_has_always_drawn(collection: Path) -> None:
    [_, drawn] = read_sets(collection, "dev", ["small"], 1)
    assert " ".join(f"{photo.sku}{photo.path.stem}" for photo in drawn.photos) == "D4 D9 F5 F6 G4 G5 G7"


def test_products_that_are_measured_go_first(collection: Path) -> None:
    [everything] = read_sets(collection, "dev", [None])
    for seed in range(5):
        few, many = (
            draw_set(
                PhotoSet("set", everything.photos[: 10 * products], everything.withheld),
                everything.photos,
                seed,
            )
            for products in (3, 6)
        )
        assert skus(few) < set(SHOWN)
        assert set(SHOWN) < skus(many)
        assert len(skus(many)) == 6


def test_no_drawn_photo_is_one_that_models_are_measured_on(collection: Path) -> None:
    for photos in read_sets(collection, "dev", ["small", None], 3):
        assert {photo.path.parent.parent for photo in photos.photos} == {collection / "train"}


@pytest.mark.parametrize(
    ("split", "names", "words"),
    [
        ("val", ["small"], "has no val/"),
        ("train", ["small"], "train is what models are trained on"),
        ("dev", ["large"], "has no column large"),
        ("dev", ["empty"], "puts no photo into the set empty"),
    ],
)
def test_wrong_words_on_the_command_line_are_named(
    collection: Path, split: str, names: list[str], words: str
) -> None:
    with pytest.raises(WrongInput, match=words):
        read_sets(collection, split, names)


def test_missing_files_are_named(collection: Path) -> None:
    (collection / "train/A/0.jpg").unlink()
    with pytest.raises(WrongInput, match=r"A/0\.jpg is in .* but not on the disk"):
        read_sets(collection, "dev", ["small"])
    with pytest.raises(WrongInput, match=r"has no photos\.csv"):
        read_sets(collection / "dev", "dev", ["small"])


def test_each_backbone_gets_its_weights(tmp_path: Path) -> None:
    weights = tmp_path / "weights.h5"
    with pytest.raises(WrongInput, match=r"weights\.h5 is not a file"):
        ask_backbone("mobilenet_v2", weights)
    weights.touch()
    assert ask_backbone("mobilenet_v2", weights).environment == {
        "BACKBONE": "mobilenet_v2",
        "BASE_WEIGHTS": str(weights),
    }
    assert ask_backbone("efficientnet_lite0", weights).base_weights == "imagenet"
