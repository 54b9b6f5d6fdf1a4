"""What measures a model never trained it, and what is held out stays so while photos come in."""

import numpy as np
import pytest

from tests.support.made_photos import contents
from worker.arrays import Labels
from worker.training.folds import FOLDS, HELD_OUT_FOLD, assign_folds


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
    sha256 = contents(len(labels), seed)
    folds = assign_folds(labels, groups, sha256)
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


def test_neither_the_order_of_the_photos_nor_the_numbers_of_groups_matter() -> None:
    labels, groups = drawn(3)
    sha256 = np.array(contents(len(labels)))
    folds = assign_folds(labels, groups, sha256.tolist())
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(labels))
        others = assign_folds(labels[order], 5000 - groups[order], sha256[order].tolist())
        assert np.array_equal(others, folds[order])


def test_most_of_what_is_held_out_stays_so_while_photos_and_products_come_in() -> None:
    labels, groups, sha256 = np.arange(400) % 10, np.arange(400), contents(400)
    before = assign_folds(labels[:300], groups[:300], sha256[:300]) == HELD_OUT_FOLD
    after = assign_folds(labels, groups, sha256)[:300] == HELD_OUT_FOLD
    assert 75 <= before.sum() <= 85
    assert (before & after).sum() >= 0.8 * before.sum()
    # By chance a quarter of them would.
    assert (after & ~before).sum() <= 0.2 * before.sum()


def test_a_quarter_is_held_out_and_the_rest_of_a_product_is_shared_out_evenly() -> None:
    labels = np.arange(8000) % 4
    folds = assign_folds(labels, np.arange(8000), contents(8000))
    assert (folds == HELD_OUT_FOLD).sum() == 2000
    for label in range(4):
        held_out, *others = np.bincount(folds[labels == label], minlength=FOLDS).tolist()
        assert 400 < held_out < 600
        assert max(others) - min(others) <= 1


def test_a_product_that_is_one_large_burst_and_a_few_photos_keeps_the_burst_to_train_on() -> None:
    labels, groups = np.zeros(24, np.int64), np.concatenate([np.zeros(20, np.int64), np.arange(1, 5)])
    for seed in range(20):
        folds = assign_folds(labels, groups, contents(24, seed))
        assert (folds == HELD_OUT_FOLD).any()
        assert (folds[:20] != HELD_OUT_FOLD).all()


@pytest.mark.parametrize("seed", range(10))
def test_two_products_with_five_photos_each_are_all_measured(seed: int) -> None:
    labels = np.repeat([0, 1], 5)
    folds = assign_folds(labels, np.arange(10), contents(10, seed))
    assert (folds >= 0).all()
    assert (folds == HELD_OUT_FOLD).any()
    for label in (0, 1):
        held_out, *others = np.bincount(folds[labels == label], minlength=FOLDS).tolist()
        assert held_out <= 2
        assert max(others) - min(others) <= 1


@pytest.mark.parametrize("seed", range(20))
def test_something_is_held_out_wherever_something_can_be_measured(seed: int) -> None:
    labels, groups = np.array([0, 0, 1]), np.arange(3)
    folds = assign_folds(labels, groups, contents(3, seed))
    assert sorted(set(folds[:2].tolist()) - {HELD_OUT_FOLD}) != []
    assert (folds[:2] == HELD_OUT_FOLD).any()
    assert folds[2] == -1


def test_a_products_only_other_photos_may_stand_under_another_product_too() -> None:
    labels = np.array([0, 0, 1, 1, 1])
    groups = np.array([0, 1, 1, 2, 3])
    folds = assign_folds(labels, groups, contents(5))
    assert folds[1] == folds[2] == -1
    assert (folds[[0, 3, 4]] >= 0).all(), "the shared photo is left to train"
