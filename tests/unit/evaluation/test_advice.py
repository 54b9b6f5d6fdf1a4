"""What a shop is told to do: each thing once, by name, in sentences that people understand."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from tests.support.made_photos import FACTS
from worker.evaluation.advice import FEW_PHOTOS, LISTED, LostProduct, PhotoResult, advise, mislabelled
from worker.evaluation.metrics import Accuracy, Confusion, Evaluation, ProductAccuracy
from worker.job.advice import Advice, AdviceKind
from worker.photos.facts import PhotoFacts

NAMES = {"CUP": "Cup", "JUG": "Jug", "PEN": "Pen", "POT": "POT"}
NOTHING = Accuracy(None, None, None, None, None, 0, 0)


def photo(number: int, sku: str = "CUP", facts: PhotoFacts = FACTS) -> PhotoResult:
    """One that the model was right and sure about."""
    return PhotoResult(f"products/{sku}/{number}.jpg", sku, facts, sku, 0.99, 0.99)


def product(
    sku: str, photos: int = 10, measured: int = 10, confused_with: tuple[Confusion, ...] = ()
) -> ProductAccuracy:
    return ProductAccuracy(sku, photos, measured, 1.0 if measured else None, 1.0, confused_with)


def told(
    photos: Iterable[PhotoResult] = (),
    products: Iterable[ProductAccuracy] = (),
    copies: Iterable[tuple[int, int]] = (),
) -> tuple[Advice, ...]:
    """The advice beside good photos of good products."""
    seen = [*photos, *(photo(100 + number, sku) for sku in ("CUP", "JUG") for number in range(20))]
    return advise(seen, copies, Evaluation(NOTHING, tuple(products), ()), NAMES)


def one(advice: tuple[Advice, ...], kind: AdviceKind) -> Advice:
    assert [each.kind for each in advice] == [kind]
    return advice[0]


def test_a_good_catalogue_needs_no_advice() -> None:
    assert told(products=[product("CUP"), product("JUG")], copies=[(0, 1)]) == ()


def test_a_photo_that_is_surely_of_another_product_looks_mislabelled() -> None:
    wrong = replace(photo(1), prediction="JUG", confidence=0.97, label_probability=0.001)
    advice = one(told([wrong]), AdviceKind.LOOKS_MISLABELLED)
    assert advice.message == (
        "products/CUP/1.jpg is filed under Cup (CUP) and looks like Jug (JUG): is it the right product?"
    )
    assert (advice.skus, advice.photos) == (("CUP", "JUG"), ("products/CUP/1.jpg",))
    doubtful = replace(wrong, confidence=0.6), replace(wrong, label_probability=0.2)
    unasked = PhotoResult("products/CUP/2.jpg", "CUP", FACTS, None, None, None)
    assert told([*doubtful, unasked]) == ()


def test_products_of_the_active_model_without_a_readable_photo_come_first() -> None:
    lost = [LostProduct("PEN", ("products/PEN/1.jpg", "products/PEN/2.jpg")), LostProduct("POT", ())]
    few = Evaluation(NOTHING, (product("CUP", photos=2),), ())
    first, *others = advise([photo(1)], (), few, NAMES, lost)
    assert (first.kind, first.skus, first.photos) == (
        AdviceKind.PRODUCTS_LOST,
        ("PEN", "POT"),
        ("products/PEN/1.jpg", "products/PEN/2.jpg"),
    )
    assert first.message == (
        "No photo of Pen (PEN) and POT can be read, which the active model knows: put the photos back into the "
        "storage, or deactivate what you no longer sell."
    )
    assert AdviceKind.PRODUCTS_LOST not in [each.kind for each in others]


def taken_for(sku: str, other: str, photos: int, wrong: int) -> list[PhotoResult]:
    """Photos of one product, the first of which the model surely takes for those of another one."""
    return [
        replace(photo(number, sku), prediction=other, confidence=0.99, label_probability=0.001)
        if number < wrong
        else photo(number, sku)
        for number in range(photos)
    ]


def kinds(photos: list[PhotoResult]) -> list[AdviceKind]:
    return [each.kind for each in advise(photos, (), Evaluation(NOTHING, (), ()), NAMES)]


@pytest.mark.parametrize(
    ("one_way", "other_way", "expected"),
    [(5, 0, 0), (0, 5, 0), (3, 2, 0), (4, 0, 0), (12, 12, 0), (1, 0, 1), (0, 1, 1), (2, 1, 3), (3, 0, 3)],
)
def test_photos_of_products_that_are_often_taken_for_each_other_are_not_mislabelled(
    one_way: int, other_way: int, expected: int
) -> None:
    """Of twelve photos each, five say that the two are alike, and one or two that somebody made a mistake."""
    photos = [*taken_for("PEN", "POT", 12, one_way), *taken_for("POT", "PEN", 12, other_way)]
    found = mislabelled(photos)
    assert len(found) == expected
    assert all(photos[index].contradicts_its_label for index in found)
    assert kinds(photos) == [AdviceKind.LOOKS_MISLABELLED] * expected


def test_alike_products_leave_strays_of_other_products_suspicious() -> None:
    photos = [
        *taken_for("PEN", "POT", 12, 5),
        *taken_for("CUP", "POT", 12, 1),
        *taken_for("POT", "PEN", 12, 0),
    ]
    assert mislabelled(photos) == [12]


def test_the_product_with_fewer_measured_photos_says_how_many_are_many() -> None:
    for fewer, expected in ((4, 0), (7, 0), (8, 2)):
        photos = [*taken_for("PEN", "POT", 100, 2), *taken_for("POT", "PEN", fewer, 0)]
        assert len(mislabelled(photos)) == expected, fewer
    one = [*taken_for("PEN", "POT", 2, 1), *taken_for("POT", "PEN", 1, 0)]
    assert mislabelled(one) == [0], "a single photo is no sign that products are alike"


def test_a_photo_that_looks_like_a_product_which_was_not_measured_is_not_called_mislabelled() -> None:
    unmeasured = [
        replace(each, prediction=None, confidence=None, label_probability=None)
        for each in taken_for("POT", "PEN", 9, 0)
    ]
    strays = taken_for("PEN", "POT", 12, 1)
    assert mislabelled([*strays, *unmeasured]) == []
    assert kinds([*strays, *unmeasured]) == []
    assert mislabelled([*strays, *unmeasured, photo(50, "POT")]) == [0]


def test_answers_that_the_model_is_not_sure_of_count_as_taken_for_each_other() -> None:
    unsure = [
        replace(each, confidence=0.5, label_probability=0.3) if each.prediction != each.sku else each
        for each in taken_for("POT", "PEN", 12, 4)
    ]
    assert mislabelled([*taken_for("PEN", "POT", 12, 1), *unsure]) == []
    assert mislabelled([*taken_for("PEN", "POT", 12, 1), *taken_for("POT", "PEN", 12, 0)]) == [0]


def test_the_surest_suspects_come_first_and_no_more_than_anybody_reads() -> None:
    suspects = [
        replace(photo(number), prediction="JUG", confidence=0.95, label_probability=number / 10_000)
        for number in range(LISTED + 10)
    ]
    advice = told(
        [*suspects[::-1], *(photo(200 + number, sku) for sku in ("CUP", "JUG") for number in range(200))]
    )
    assert [each.photos[0] for each in advice] == [f"products/CUP/{number}.jpg" for number in range(LISTED)]


def test_a_photo_that_stands_under_two_products_is_named_with_both() -> None:
    advice = one(told([photo(1), photo(2, "POT")], copies=[(0, 1), (0, 5)]), AdviceKind.SAME_PHOTO)
    assert advice.message == (
        "products/CUP/1.jpg of Cup (CUP) and products/POT/2.jpg of POT are the same photo: remove it from the "
        "product that it does not show."
    )
    assert advice.skus == ("CUP", "POT")
    assert advice.photos == ("products/CUP/1.jpg", "products/POT/2.jpg")


@pytest.mark.parametrize(
    ("skus", "listed"),
    [
        (["CUP"], "Cup (CUP) has fewer"),
        (["CUP", "JUG"], "Cup (CUP) and Jug (JUG) have fewer"),
        (["CUP", "JUG", "PEN"], "Cup (CUP), Jug (JUG) and Pen (PEN) have fewer"),
        (["CUP", "JUG", "PEN", "POT"], "Cup (CUP), Jug (JUG), Pen (PEN) and 1 more have fewer"),
    ],
)
def test_products_with_few_photos_are_one_piece_of_advice(skus: list[str], listed: str) -> None:
    few = [product(sku, photos=1 + place) for place, sku in enumerate(skus)]
    advice = one(told(products=[*few[::-1], product("OK", photos=FEW_PHOTOS)]), AdviceKind.TOO_FEW_PHOTOS)
    assert advice.message.startswith(listed), advice.message
    assert advice.message.endswith("than 5 photos: add some from other sides, in other light.")
    assert advice.skus == tuple(skus), "the one with the fewest first"


def test_products_that_could_not_be_measured_need_photos_of_another_day() -> None:
    advice = one(told(products=[product("JUG", measured=0), product("CUP")]), AdviceKind.NOT_MEASURED)
    assert "Jug (JUG) has photos of one occasion only" in advice.message
    assert "add photos taken on another day" in advice.message
    assert advice.skus == ("JUG",)


def test_products_taken_for_each_other_are_hard_to_tell_apart() -> None:
    cup = product("CUP", confused_with=(Confusion("JUG", 3), Confusion("PEN", 1)))
    jug = product("JUG", confused_with=(Confusion("CUP", 2),))
    advice = one(told(products=[cup, jug, product("PEN")]), AdviceKind.HARD_TO_TELL_APART)
    assert "Cup (CUP) and Jug (JUG) are taken for each other in 5 of 20 photos" in advice.message
    assert advice.skus == ("CUP", "JUG")


@pytest.mark.parametrize(
    ("kind", "facts", "says"),
    [
        (AdviceKind.BLURRED, replace(FACTS, sharpness=FACTS.sharpness / 50), "is blurred"),
        (AdviceKind.DARK, replace(FACTS, brightness=0.02), "is very dark"),
        (AdviceKind.TINY, replace(FACTS, width=900, height=100), "is smaller than 224 pixels"),
    ],
)
def test_photos_that_were_taken_badly_are_named_once(kind: AdviceKind, facts: PhotoFacts, says: str) -> None:
    advice = one(told([photo(7, facts=facts)]), kind)
    assert advice.message.startswith(f"products/CUP/7.jpg {says}")
    assert (advice.skus, advice.photos) == (("CUP",), ("products/CUP/7.jpg",))
    many = one(told([photo(number, facts=facts) for number in range(9)]), kind)
    assert "products/CUP/0.jpg, products/CUP/1.jpg, products/CUP/2.jpg and 6 more are" in many.message
    assert len(many.photos) == 9


def test_a_product_whose_photos_are_all_plain_is_not_blurred() -> None:
    plain = replace(FACTS, sharpness=FACTS.sharpness / 50)
    assert told([photo(number, "PEN", plain) for number in range(8)]) == ()


def test_what_is_most_useful_comes_first() -> None:
    dark = photo(1, facts=replace(FACTS, brightness=0.01))
    wrong = replace(photo(2), prediction="JUG", confidence=0.97, label_probability=0.001)
    advice = told([dark, wrong, photo(3, "JUG")], [product("PEN", photos=1, measured=0)], copies=[(0, 2)])
    assert [each.kind for each in advice] == [
        AdviceKind.LOOKS_MISLABELLED,
        AdviceKind.SAME_PHOTO,
        AdviceKind.TOO_FEW_PHOTOS,
        AdviceKind.NOT_MEASURED,
        AdviceKind.DARK,
    ]
