"""What measures a model never trained it: photos that belong together are never on two sides."""

import numpy as np
import numpy.typing as npt
import pytest

from worker.backbone.layers import FEATURES
from worker.training.folds import FOLDS, Labels, assign_folds, group_photos
from worker.training.scratch import Scratch

Features = npt.NDArray[np.float32]


def kept(features: Features) -> Scratch:
    """As the extractor leaves features: two views of each photo, of which the second is of something else."""
    scratch = Scratch(len(features), (2, features.shape[1]), np.float16)
    for row, of_photo in enumerate(features):
        scratch.write(row, np.stack([of_photo, of_photo[::-1]]).astype(np.float16))
    return scratch


def scenes(count: int, seed: int = 0) -> Features:
    """Features of photos that have nothing in common, of the length and sign that the backbone's have."""
    random = np.random.default_rng(seed)
    features = np.sqrt(random.exponential(size=(count, FEATURES)))
    features *= np.sqrt(3) / np.linalg.norm(features, axis=1, keepdims=True)
    unlike: Features = features.astype(np.float32)
    return unlike


def shots(scene: Features, count: int, seed: int = 0) -> Features:
    """A burst: photos of one scene that differ by next to nothing."""
    noise = np.random.default_rng(seed).normal(scale=0.02, size=(count, FEATURES))
    shaken: Features = (scene * (1 + noise)).astype(np.float32)
    return shaken


def different(count: int) -> tuple[str, ...]:
    return tuple(f"{number:064x}" for number in range(count))


def partition(groups: Labels, photos: Labels | None = None) -> set[frozenset[int]]:
    """The groups as sets of photos; `photos[i]` is what the photo at place `i` is called."""
    names = np.arange(len(groups)) if photos is None else photos
    return {frozenset(names[groups == group].tolist()) for group in np.unique(groups)}


def test_photos_of_one_burst_are_one_group_and_others_are_alone() -> None:
    alone = scenes(8)
    features = np.concatenate([shots(alone[0], 3), alone[1:4], shots(alone[4], 2), alone[5:8]])
    labels = np.repeat([0, 1], [6, 5])
    groups = group_photos(kept(features), labels, different(11))
    assert partition(groups) == {
        frozenset(each) for each in ((0, 1, 2), (3,), (4,), (5,), (6, 7), (8,), (9,), (10,))
    }


def test_a_burst_under_two_products_is_two_groups_unless_the_bytes_are_equal() -> None:
    alone = scenes(8)
    features = np.concatenate([alone[:4], shots(alone[0], 1), alone[4:7]])
    labels = np.repeat([0, 1], 4)
    names = list(different(8))
    assert len(partition(group_photos(kept(features), labels, tuple(names)))) == 8
    names[6] = names[2]
    groups = group_photos(kept(features), labels, tuple(names))
    assert groups[6] == groups[2]
    assert len(partition(groups)) == 7


def test_equal_bytes_join_groups_over_any_number_of_products() -> None:
    alone = scenes(9)
    features = np.concatenate(
        [shots(alone[0], 2), alone[1:3], shots(alone[3], 2), alone[4:6], shots(alone[6], 2)]
    )
    labels = np.repeat([0, 1, 2], [4, 4, 2])
    names = list(different(10))
    names[4], names[8] = names[1], names[5]  # the first burst is in the second, and that in the third
    groups = group_photos(kept(features), labels, tuple(names))
    assert frozenset({0, 1, 4, 5, 8, 9}) in partition(groups)
    assert len(partition(groups)) == 5


def test_groups_do_not_depend_on_the_order_of_the_photos() -> None:
    alone = scenes(30)
    features = np.concatenate([alone, *(shots(alone[place], 4, place) for place in range(0, 30, 3))])
    labels = np.concatenate([np.arange(30) % 3, np.repeat(np.arange(0, 30, 3) % 3, 4)])
    names = np.array(different(len(labels)))
    names[20] = names[4]
    expected = partition(group_photos(kept(features), labels, tuple(names)))
    assert len(expected) < 30
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(labels))
        groups = group_photos(kept(features[order]), labels[order], tuple(names[order]))
        assert partition(groups, order) == expected


@pytest.mark.parametrize("products", [1, 2, 5])
def test_photos_that_all_look_the_same_are_a_group_for_each_product(products: int) -> None:
    features = np.repeat(scenes(1), 20, axis=0)
    labels = np.arange(20) % products
    assert len(partition(group_photos(kept(features), labels, different(20)))) == products
    groups = group_photos(kept(features), labels, different(1) * 20)
    assert len(partition(groups)) == 1
    assert (assign_folds(labels, groups, seed=0) == -1).all()


def drawn(seed: int) -> tuple[Labels, Labels]:
    """Labels and groups as bad as a catalogue can be: products with one photo, one group, shared groups."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 8, 200)
    labels[:3] = (8, 9, 9)
    groups = random.integers(0, 12, 200) * 10 + labels
    groups[labels == 7] = 7
    groups[1:3] = (1009, 1010)
    shared = random.choice(np.flatnonzero(labels < 6), 10, replace=False)
    groups[shared] = 2000 + np.arange(10) // 2
    return labels, groups


@pytest.mark.parametrize("seed", range(20))
def test_no_group_is_on_two_sides_and_every_measured_product_trains_in_every_fold(seed: int) -> None:
    labels, groups = drawn(seed)
    folds = assign_folds(labels, groups, seed)
    assert folds.min() >= -1
    assert folds.max() < FOLDS
    for group in np.unique(groups):
        assert len(np.unique(folds[groups == group])) == 1
        if len(np.unique(labels[groups == group])) > 1:
            assert (folds[groups == group] == -1).all(), "it stands under two products"
    for label in np.unique(labels):
        mine = labels == label
        if len(np.unique(groups[mine])) == 1:
            assert (folds[mine] == -1).all()
        for fold in range(FOLDS):
            assert (folds[mine] != fold).any()
    assert set(folds.tolist()) == {-1, *range(FOLDS)}
    assert np.array_equal(folds, assign_folds(labels, groups, seed))


def test_another_seed_measures_on_other_folds() -> None:
    labels, groups = np.repeat(np.arange(10), 8), np.arange(80)
    folds = [assign_folds(labels, groups, seed) for seed in range(3)]
    assert not np.array_equal(folds[0], folds[1])
    assert not np.array_equal(folds[1], folds[2])


def test_a_product_of_thousands_of_photos_stands_beside_products_with_one() -> None:
    labels = np.concatenate([np.zeros(5000, np.int64), np.arange(1, 21)])
    features = scenes(len(labels))
    groups = group_photos(kept(features), labels, different(len(labels)))
    assert len(partition(groups)) == len(labels)
    folds = assign_folds(labels, groups, seed=1)
    assert (folds[5000:] == -1).all()
    assert np.bincount(folds[:5000]).tolist() == [1250] * 4


@pytest.mark.parametrize("seed", range(10))
def test_two_products_with_five_photos_each_are_all_measured_in_folds_of_like_size(seed: int) -> None:
    labels = np.repeat([0, 1], 5)
    groups = group_photos(kept(scenes(10)), labels, different(10))
    folds = assign_folds(labels, groups, seed)
    for label in (0, 1):
        assert sorted(np.bincount(folds[labels == label], minlength=FOLDS).tolist()) == [1, 1, 1, 2]


def test_a_products_only_other_photos_may_stand_under_another_product_too() -> None:
    labels = np.array([0, 0, 1, 1, 1])
    groups = np.array([0, 1, 1, 2, 3])
    folds = assign_folds(labels, groups, seed=0)
    assert folds[1] == folds[2] == -1
    assert (folds[[0, 3, 4]] >= 0).all(), "the shared photo is left to train"
