"""Which labels look wrong, and which products are only alike."""

from dataclasses import replace

import pytest

from tests.support.made_photos import FACTS
from tests.support.photo_results import photo, stray, taken_for
from worker.evaluation.mislabelled import Confusions, PhotoResult, mislabelled


@pytest.mark.parametrize(
    "doubtful",
    [
        replace(stray(1), confidence=0.4),
        replace(stray(1), label_probability=0.2),
        replace(stray(1), nearer=0.05),
        PhotoResult("products/CUP/2.jpg", "CUP", FACTS),
    ],
)
def test_a_photo_that_leaves_a_doubt_does_not_look_mislabelled(doubtful: PhotoResult) -> None:
    others = [photo(number, sku) for sku in ("CUP", "JUG") for number in range(20)]
    assert mislabelled([doubtful, *others]) == []


@pytest.mark.parametrize(
    ("one_way", "other_way", "are_alike"),
    [(7, 0, True), (0, 7, True), (4, 3, True), (12, 12, True), (6, 0, False), (3, 3, False), (1, 0, False)],
)
def test_products_that_are_taken_for_each_other_are_hard_to_tell_apart_and_no_stray_is_mislabelled(
    one_way: int, other_way: int, are_alike: bool
) -> None:
    """Of twelve photos each, more than six say that the two are alike."""
    photos = [*taken_for("PEN", "POT", 12, one_way), *taken_for("POT", "PEN", 12, other_way)]
    photos[11:12] = [stray(99, "PEN", "POT")]
    assert Confusions.of(photos).are_alike(("PEN", "POT")) == are_alike
    assert mislabelled(photos) == ([] if are_alike else [11])


def test_several_strays_of_one_product_in_another_do_not_make_the_two_alike() -> None:
    photos = [*(stray(number, "PEN", "POT") for number in range(9)), *taken_for("POT", "PEN", 12, 0)]
    assert mislabelled([*photos, photo(50, "PEN")]) == list(range(9))


def test_alike_products_leave_strays_of_other_products_suspicious() -> None:
    photos = [*taken_for("PEN", "POT", 12, 7), stray(0, "CUP", "POT"), *taken_for("POT", "PEN", 12, 0)]
    assert mislabelled(photos) == [12]


def test_the_product_with_fewer_measured_photos_says_how_many_are_many() -> None:
    for fewer, expected in ((2, []), (3, []), (4, [100])):
        photos = [
            *taken_for("PEN", "POT", 100, 2),
            stray(0, "PEN", "POT"),
            *taken_for("POT", "PEN", fewer, 0),
        ]
        assert mislabelled(photos) == expected, fewer
    single = [*taken_for("PEN", "POT", 2, 1), stray(0, "PEN", "POT"), *taken_for("POT", "PEN", 1, 0)]
    assert mislabelled(single) == [2], "a single photo is no sign that products are alike"


def test_a_photo_that_looks_like_a_product_which_was_not_measured_is_not_called_mislabelled() -> None:
    unmeasured = [PhotoResult(each.name, each.sku, FACTS) for each in taken_for("POT", "PEN", 9, 0)]
    assert mislabelled([stray(0, "PEN", "POT"), *unmeasured]) == []
    assert mislabelled([stray(0, "PEN", "POT"), *unmeasured, photo(50, "POT")]) == [0]
