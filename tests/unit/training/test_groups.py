"""Photos that were taken together are one group, whatever betrays it, and no others are."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.made_photos import FACTS, Features, contents, kept, looks, made_photos, scenes, shots
from worker.arrays import Labels
from worker.photos.facts import NO_STRUCTURE, PhotoFacts
from worker.training.choose_head import choose_head
from worker.training.folds import assign_folds
from worker.training.groups import BURST_SECONDS, IN_SEQUENCE, SAME_OCCASION, group_photos


def partition(groups: Labels, photos: Labels | None = None) -> set[frozenset[int]]:
    """The groups as sets of photos; `photos[i]` is what the photo at place `i` is called."""
    names = np.arange(len(groups)) if photos is None else photos
    return {frozenset(names[groups == group].tolist()) for group in np.unique(groups)}


def together(groups: Labels) -> set[frozenset[int]]:
    """The groups of more than one photo."""
    return {group for group in partition(groups) if len(group) > 1}


def resaved(facts: PhotoFacts) -> PhotoFacts:
    """A photo saved again looks nearly the same from afar: two bits differ."""
    return replace(facts, perceptual_hash=facts.perceptual_hash ^ 0b1001 << 20)


def near(one: Features, other: Features, distance: float) -> Features:
    """Something at a cosine distance from `one`, towards `other`."""
    along = one / np.linalg.norm(one)
    aside = other - (other @ along) * along
    angle = np.arccos(1 - distance)
    found: Features = np.cos(angle) * along + np.sin(angle) * aside / np.linalg.norm(aside)
    return found


def test_photos_that_look_alike_are_one_group_and_others_are_alone() -> None:
    alone = scenes(8)
    features = np.concatenate([shots(alone[0], 3), alone[1:4], shots(alone[4], 2), alone[5:8]])
    groups = group_photos(made_photos(features, np.repeat([0, 1], [6, 5])))
    assert together(groups.of) == {frozenset({0, 1, 2}), frozenset({6, 7})}
    assert groups.copies == []


def test_photos_of_two_products_that_look_alike_are_two_groups() -> None:
    alone = scenes(8)
    features = np.concatenate([alone[:4], shots(alone[0], 1), alone[4:7]])
    assert together(group_photos(made_photos(features, np.repeat([0, 1], 4))).of) == set()


def test_the_same_bytes_are_one_group_under_two_products_too() -> None:
    labels, names = np.repeat([0, 1], 4), list(contents(8))
    names[6], names[3] = names[2], names[0]
    groups = group_photos(made_photos(scenes(8), labels, sha256=names))
    assert together(groups.of) == {frozenset({2, 6}), frozenset({0, 3})}
    assert sorted(groups.copies) == [(0, 3), (2, 6)]


def test_a_photo_saved_again_is_a_copy_under_two_products_too_if_it_looks_the_same_from_near() -> None:
    labels, sha256, alone = np.repeat([0, 1], 4), contents(8), scenes(8)
    facts = list(looks(sha256))
    facts[6], facts[7] = resaved(facts[2]), resaved(facts[1])
    features = alone.copy()
    features[6] = shots(alone[2], 1)[0]
    groups = group_photos(made_photos(features, labels, sha256=sha256, facts=facts))
    assert groups.copies == [(2, 6)], "the seventh is another photo that looks the same from afar only"
    assert together(groups.of) == {frozenset({2, 6})}


def test_copies_join_groups_over_any_number_of_products() -> None:
    alone = scenes(9)
    features = np.concatenate(
        [shots(alone[0], 2), alone[1:3], shots(alone[3], 2), alone[4:6], shots(alone[6], 2)]
    )
    names = list(contents(10))
    names[4], names[8] = names[1], names[5]  # the first pair is in the second, and that in the third
    groups = group_photos(made_photos(features, np.repeat([0, 1, 2], [4, 4, 2]), sha256=names))
    assert together(groups.of) == {frozenset({0, 1, 4, 5, 8, 9})}


def test_photos_of_a_product_taken_within_seconds_are_a_burst_whatever_they_show() -> None:
    first = 1.7e9
    times = [first, first + BURST_SECONDS, first + 2 * BURST_SECONDS + 1, None, first + 1, first + 1e6]
    labels = np.array([0, 0, 0, 0, 1, 1])
    facts = [replace(fact, taken_at=time) for fact, time in zip(looks(contents(6)), times, strict=True)]
    groups = group_photos(made_photos(scenes(6), labels, facts=facts))
    assert together(groups.of) == {frozenset({0, 1})}
    assert groups.copies == [], "they were taken together, and are not the same"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("IMG_0999.jpg", "IMG_1000.jpg"), True),
        (("a 7 (1).jpg", "a 7 (2).jpg"), True),
        (("IMG_0999.jpg", "IMG_1001.jpg"), False),
        (("IMG_0999.jpg", "DSC_1000.jpg"), False),
        (("front.jpg", "back.jpg"), False),
        (("9" * 39 + "8.jpg", "9" * 40 + ".jpg"), True),
    ],
)
def test_photos_numbered_one_after_the_other_need_to_look_less_alike(
    names: tuple[str, str], expected: bool
) -> None:
    alone = scenes(12)
    lengths = np.linalg.norm(alone, axis=1)
    usual = np.median(1 - ((alone @ alone.T) / np.outer(lengths, lengths))[np.triu_indices(12, 1)])
    files = [f"{letter}.jpg" for letter in "abcdefghijklm"]
    files[0], files[12] = names
    for share, alike in ((0.9, True), (np.sqrt(IN_SEQUENCE), expected), (1.1 * IN_SEQUENCE, False)):
        close = near(alone[0], alone[5], share * SAME_OCCASION * usual)
        features, labels = np.concatenate([alone, close[None]]), np.concatenate([np.arange(12), [0]])
        groups = group_photos(made_photos(features, labels, names=files)).of
        assert (groups[0] == groups[12]) == alike, share


def test_groups_do_not_depend_on_the_order_of_the_photos() -> None:
    alone = scenes(30)
    features = np.concatenate([alone, *(shots(alone[place], 4, place) for place in range(0, 30, 3))])
    labels = np.concatenate([np.arange(30) % 3, np.repeat(np.arange(0, 30, 3) % 3, 4)])
    names = np.array(contents(len(labels)))
    names[20] = names[4]
    expected = partition(group_photos(made_photos(features, labels, sha256=names.tolist())).of)
    assert len(expected) < 30
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(labels))
        groups = group_photos(made_photos(features[order], labels[order], sha256=names[order].tolist()))
        assert partition(groups.of, order) == expected


@pytest.mark.parametrize("products", [1, 2, 5])
def test_photos_that_all_look_the_same_are_a_group_for_each_product(products: int) -> None:
    features = np.repeat(scenes(1), 20, axis=0)
    labels = np.arange(20) % products
    facts = [replace(FACTS, perceptual_hash=NO_STRUCTURE)] * 20
    groups = group_photos(made_photos(features, labels, facts=facts))
    assert len(partition(groups.of)) == products, "white photos are alike, and not copies"
    same = contents(1) * 20
    groups = group_photos(made_photos(features, labels, sha256=same))
    assert len(partition(groups.of)) == 1
    assert (assign_folds(labels, groups.of, same) == -1).all()


def test_a_product_of_thousands_of_photos_stands_beside_products_with_one() -> None:
    labels = np.concatenate([np.zeros(4000, np.int64), np.arange(1, 21)])
    sha256 = contents(len(labels))
    groups = group_photos(made_photos(scenes(len(labels), size=256), labels, sha256=sha256))
    assert len(partition(groups.of)) == len(labels)
    folds = assign_folds(labels, groups.of, sha256)
    assert (folds[4000:] == -1).all()
    assert (folds[:4000] >= 0).all()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_copy_of_every_photo_lends_no_accuracy_to_photos_that_nothing_can_be_learnt_of(
    elsewhere: bool,
) -> None:
    """Photos have nothing in common with others of their product. Who trains on a photo's copy knows it."""
    labels, names = np.arange(120) % 6, list(contents(240))
    originals = scenes(120, size=400)
    features = np.concatenate([originals, shots(originals, 120)])
    both = np.concatenate([labels, (labels + elsewhere) % 6])
    facts = [*looks(names[:120]), *(resaved(fact) for fact in looks(names[:120]))]
    planted = made_photos(features, both, sha256=names, facts=facts)
    groups = group_photos(planted)
    assert len(groups.copies) == 120
    folds = assign_folds(both, groups.of, names)
    for one, other in groups.copies:
        assert folds[one] == folds[other]
    if elsewhere:
        assert (folds == -1).all(), "nobody knows which product they show"
        return
    nothing = np.zeros((0, 400), np.float32)
    honest = choose_head(planted.features, both, groups.of, folds, nothing).measured.top1
    leaky = choose_head(planted.features, both, np.arange(240), np.arange(240) // 60, nothing).measured.top1
    assert honest < 0.35
    assert leaky > 0.9, "what it would seem to be with copies on both sides"


def test_features_are_compared_on_the_whole_photo_alone() -> None:
    one, other = scenes(2)
    features = np.stack([one, one[::-1], other, other[::-1]])
    assert np.array_equal(kept(features).read([0])[0, 1], kept(features).read([1])[0, 0])
    assert together(group_photos(made_photos(features, np.array([0, 0, 1, 1]))).of) == set()
