"""What a shop is told to do: each thing once, by name, in sentences that people understand."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from tests.support.made_photos import FACTS
from tests.support.photo_results import photo, stray, taken_for
from worker.evaluation.advice import FEW_PHOTOS, LISTED, LostProduct, advise
from worker.evaluation.metrics import Accuracy, Evaluation, ProductAccuracy
from worker.evaluation.mislabelled import PhotoResult
from worker.job.advice import Advice, AdviceKind
from worker.photos.facts import PhotoFacts

NAMES = {"CUP": "Cup", "JUG": "Jug", "PEN": "Pen", "POT": "POT"}
NOTHING = Accuracy(None, None, None, None, None, 0, 0)


def product(sku: str, photos: int = 10, measured: int = 10) -> ProductAccuracy:
    return ProductAccuracy(sku, photos, measured, 1.0 if measured else None, 1.0, ())


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


def test_a_photo_that_is_surely_of_another_product_looks_mislabelled() -> None:
    advice = one(told([stray(1)]), AdviceKind.LOOKS_MISLABELLED)
    assert advice.message == (
        "products/CUP/1.jpg is filed under Cup (CUP) and looks like Jug (JUG): is it the right product?"
    )
    assert (advice.skus, advice.photos) == (("CUP", "JUG"), ("products/CUP/1.jpg",))


def test_the_surest_suspects_come_first_and_no_more_than_anybody_reads() -> None:
    suspects = [
        replace(stray(number), confidence=0.95, label_probability=number / 10_000)
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


def test_products_taken_for_each_other_are_named_with_the_number_of_photos() -> None:
    photos = [
        *taken_for("PEN", "POT", 10, 4),
        *taken_for("POT", "PEN", 10, 2),
        *taken_for("PEN", "JUG", 1, 1),
    ]
    advice = one(told(photos), AdviceKind.HARD_TO_TELL_APART)
    assert "Pen (PEN) and POT are taken for each other in 6 of 21 photos" in advice.message
    assert advice.skus == ("PEN", "POT")


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
    advice = told([dark, stray(2), photo(3, "JUG")], [product("PEN", photos=1, measured=0)], copies=[(0, 2)])
    assert [each.kind for each in advice] == [
        AdviceKind.LOOKS_MISLABELLED,
        AdviceKind.SAME_PHOTO,
        AdviceKind.TOO_FEW_PHOTOS,
        AdviceKind.NOT_MEASURED,
        AdviceKind.DARK,
    ]
