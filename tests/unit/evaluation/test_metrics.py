"""What is said of a model's accuracy is what its guesses on held-out photos say, and no surer than they are."""

import json
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binomtest

from tests.support.made_evaluations import PHOTOS, PROBABILITIES, SHOWN, SKUS, logits_of, small
from worker.arrays import Labels
from worker.evaluation.accuracy_json import accuracy_metrics, as_json
from worker.evaluation.metrics import Confusion, Evaluation, Interval, ProductAccuracy, evaluate


def of_right(right: Sequence[bool] | npt.NDArray[np.bool_], groups: Labels) -> Evaluation:
    """Of two products, every photo showing the first."""
    logits = np.where(np.array(right)[:, None], [1.0, 0.0], [0.0, 1.0]).astype(np.float32)
    return evaluate(logits, np.zeros(len(right), np.int64), groups, ("A", "B"), np.array([9, 9]))


def interval(right: Sequence[bool] | npt.NDArray[np.bool_], groups: Labels) -> Interval:
    found = of_right(right, groups).accuracy.interval
    assert found is not None
    return found


def wilson(hits: int, photos: int) -> Interval:
    low, high = binomtest(hits, photos).proportion_ci(method="wilson")
    return Interval(round(float(low), 4), round(float(high), 4))


def test_shares_are_those_counted_by_hand() -> None:
    accuracy = small().accuracy
    # The first, fourth and seventh photo are right; only of the last is its product not among three.
    assert (accuracy.top1, accuracy.top3) == (0.375, 0.875)
    assert accuracy.macro_recall == round((1 / 3 + 1 / 2 + 1 / 2 + 0) / 4, 4)
    assert (accuracy.photos, accuracy.products) == (8, 4)
    assert accuracy.interval == wilson(3, 8)


def test_every_product_says_what_it_was_taken_for() -> None:
    assert small().by_product == (
        ProductAccuracy("A", 6, 3, 0.3333, 0.5, (Confusion("B", 2),)),
        ProductAccuracy("B", 5, 2, 0.5, 0.3333, (Confusion("D", 1),)),
        ProductAccuracy("C", 4, 2, 0.5, 1.0, (Confusion("A", 1),)),
        ProductAccuracy("D", 3, 0, None, 0.0, ()),
        ProductAccuracy("E", 1, 1, 0.0, None, (Confusion("D", 1),)),
    )


def test_confusions_are_in_order_of_number_and_then_of_sku() -> None:
    skus, guesses = ("own", "z", "b", "a"), np.array([1, 3, 2, 1, 2, 1, 0])
    logits = np.eye(4, dtype=np.float32)[guesses]
    first = evaluate(logits, np.zeros(7, np.int64), np.arange(7), skus, np.ones(4, np.int64)).by_product[0]
    assert first.confused_with == (Confusion("z", 3), Confusion("b", 2), Confusion("a", 1))
    logits = np.eye(4, dtype=np.float32)[guesses[:3]]
    first = evaluate(logits, np.zeros(3, np.int64), np.arange(3), skus, np.ones(4, np.int64)).by_product[0]
    assert [other.sku for other in first.confused_with] == ["a", "b", "z"]


def test_calibration_error_is_the_distance_of_confidence_from_truth_over_ten_bins() -> None:
    evaluation = small()
    assert [(bin.low, bin.high, bin.photos) for bin in evaluation.reliability] == [
        (0.3, 0.4, 2),
        (0.5, 0.6, 1),
        (0.6, 0.7, 1),
        (0.7, 0.8, 2),
        (0.9, 1.0, 2),
    ]
    assert [(bin.confidence, bin.accuracy) for bin in evaluation.reliability] == [
        (0.315, 0.0),
        (0.55, 0.0),
        (0.65, 0.0),
        (0.765, 0.5),
        (0.95, 1.0),
    ]
    by_hand = (2 * 0.315 + 0.55 + 0.65 + 2 * 0.265 + 2 * 0.05) / 8
    assert evaluation.accuracy.calibration_error == pytest.approx(by_hand, abs=1e-4)


def test_answers_of_models_that_lacked_groups_are_wrong_more_often_than_the_published_one() -> None:
    """Three of four wrong answers count as wrong, wherever photos are counted; confusions are what was answered."""
    logits, labels, groups = logits_of(PROBABILITIES), SHOWN, np.arange(8)
    shares = np.full(8, 0.75, np.float32)
    expected, raw = evaluate(logits, labels, groups, SKUS, PHOTOS, shares), small()
    assert raw.accuracy.top1 == 0.375
    assert expected.accuracy.top1 == round(1 - 0.75 * 0.625, 4)
    assert expected.accuracy.top3 == round(1 - 0.75 * (1 - (raw.accuracy.top3 or 0)), 4)
    first, before = expected.by_product[0], raw.by_product[0]
    assert first.recall == round(1 - 0.75 * (1 - (before.recall or 0)), 4)
    assert first.precision is not None
    assert before.precision is not None
    assert first.precision > before.precision
    assert first.confused_with == before.confused_with
    assert expected.accuracy.interval and raw.accuracy.interval
    assert expected.accuracy.interval.low > raw.accuracy.interval.low
    assert [bin.accuracy for bin in expected.reliability] == [0.25, 0.25, 0.25, 0.625, 1.0]


def test_a_model_that_is_right_as_often_as_it_says_is_calibrated() -> None:
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.full(4, 0.5), 10_000)
    labels = (probabilities.cumsum(axis=1) < random.random((10_000, 1))).sum(axis=1)
    for sharpness, least, most in ((1.0, 0.0, 0.02), (4.0, 0.1, 0.5)):
        logits = sharpness * logits_of(probabilities + 1e-9)
        error = evaluate(logits, labels, labels, SKUS[:4], PHOTOS[:4]).accuracy.calibration_error
        assert error is not None
        assert least <= error <= most


def test_of_two_products_one_is_always_among_the_first_three() -> None:
    accuracy = of_right([True, False, False], np.arange(3)).accuracy
    assert (accuracy.top1, accuracy.top3) == (0.3333, 1.0)


def test_of_equal_logits_the_first_is_the_answer() -> None:
    labels = np.array([0, 0, 1, 2, 3])
    evaluation = evaluate(np.zeros((5, 5), np.float32), labels, np.arange(5), SKUS, PHOTOS)
    assert (evaluation.accuracy.top1, evaluation.accuracy.top3) == (0.4, 0.8)
    assert [product.recall for product in evaluation.by_product] == [1.0, 0.0, 0.0, 0.0, None]


def test_a_confidence_on_an_edge_is_in_the_bin_below_it() -> None:
    one = np.zeros(1, np.int64)
    (bin,) = evaluate(np.zeros((1, 2), np.float32), one, one, SKUS[:2], PHOTOS[:2]).reliability
    assert (bin.low, bin.high, bin.confidence) == (0.4, 0.5, 0.5)


def test_where_nothing_could_be_held_out_nothing_is_claimed() -> None:
    nothing = np.zeros(0, np.int64)
    evaluation = evaluate(np.zeros((0, 5), np.float32), nothing, nothing, SKUS, PHOTOS)
    told = json.loads(accuracy_metrics(evaluation))
    for key in ("top1", "top1_low", "top1_high", "top3", "macro_recall", "calibration_error"):
        assert told[key] is None
    assert (told["photos"], told["products"], told["by_product_left_out"]) == (0, 0, 0)
    assert [product["sku"] for product in told["by_product"]] == list(SKUS)
    assert {product["recall"] for product in told["by_product"]} == {None}
    everything = as_json(evaluation)
    assert everything["not_measured"] == list(SKUS)
    assert everything["reliability"] == []


def test_photos_that_are_alone_have_wilsons_interval() -> None:
    for hits in range(1, 30):
        assert interval(np.arange(30) < hits, np.arange(30)) == wilson(hits, 30)


def test_photos_taken_together_count_for_fewer() -> None:
    # Three groups of two right and one wrong: residuals 3 x 0.5 and -1.5, so the mean's variance is
    # 4/3 x 3/64 where 0.75 x 0.25 / 7 is that of photos alone; 8 photos are worth 8 x 3/7.
    found = interval(np.arange(8) < 6, np.repeat(np.arange(4), 2))
    for end in (found.low, found.high):
        score = abs(0.75 - end) / np.sqrt(end * (1 - end) / (8 * 3 / 7))
        assert score == pytest.approx(1.96, abs=0.002)


def test_groups_that_are_more_alike_than_chance_do_not_count_for_more() -> None:
    right = np.tile([True, False], 10)
    assert interval(right, np.repeat(np.arange(10), 2)) == interval(right, np.arange(20))


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize(("sizes", "worth"), [([1] * 9, 9), ([3] * 5, 5), ([4, 1, 1], 2), ([7], 1)])
def test_where_all_are_right_or_all_wrong_a_group_is_one_photo(
    right: bool, sizes: list[int], worth: int
) -> None:
    found = interval([right] * sum(sizes), np.repeat(np.arange(len(sizes)), sizes))
    assert found == wilson(worth * right, worth)


def test_a_single_group_is_one_photo() -> None:
    found = interval([True, True, False, False], np.zeros(4, np.int64))
    assert found.low < 0.1
    assert found.high > 0.9


@pytest.mark.parametrize("seed", range(50))
def test_the_interval_has_the_share_in_it_and_is_within_0_and_1(seed: int) -> None:
    random = np.random.default_rng(seed)
    photos = int(random.integers(1, 40))
    evaluation = of_right(random.random(photos) < random.random(), random.integers(0, photos, photos))
    found, top1 = evaluation.accuracy.interval, evaluation.accuracy.top1
    assert found is not None
    assert top1 is not None
    assert 0 <= found.low <= top1 <= found.high <= 1


@pytest.mark.parametrize(
    ("share", "likeness"), [(0.5, 0.0), (0.8, 0.3), (0.8, 0.8), (0.95, 0.3), (0.95, 0.8)]
)
def test_the_interval_holds_the_true_share_about_as_often_as_it_says(share: float, likeness: float) -> None:
    random = np.random.default_rng(1)
    groups = np.repeat(np.arange(40), 3)
    trials, held, held_if_alone = 400, 0, 0
    for _ in range(trials):
        chances = np.full(40, share)
        if likeness:
            spread = (1 - likeness) / likeness
            chances = random.beta(share * spread, (1 - share) * spread, 40)
        right = random.random(120) < chances[groups]
        found, alone = interval(right, groups), interval(right, np.arange(120))
        held += found.low <= share <= found.high
        held_if_alone += alone.low <= share <= alone.high
    assert 0.9 <= held / trials <= 0.99
    assert likeness < 0.8 or held_if_alone / trials < 0.88


def test_two_thousand_products_are_counted_as_one_by_one() -> None:
    random = np.random.default_rng(2)
    products, photos = 2_000, 3_000
    labels = random.integers(0, products - 5, photos)
    logits = random.standard_normal((photos, products), np.float32)
    logits[np.arange(photos), labels] += random.normal(3.5, 1, photos).astype(np.float32)
    skus = tuple(f"{number:05}" for number in random.permutation(products))
    evaluation = evaluate(logits, labels, labels, skus, np.arange(products))

    guesses, places = logits.argmax(axis=1), np.argsort(-logits, axis=1)[:, :3]
    assert evaluation.accuracy.top1 == round(float((guesses == labels).mean()), 4)
    assert evaluation.accuracy.top3 == round(float((places == labels[:, None]).any(axis=1).mean()), 4)
    shown = Counter(labels.tolist())
    pairs = Counter(zip(labels.tolist(), guesses.tolist(), strict=True))
    answers = Counter(guesses.tolist())
    assert evaluation.accuracy.products == len(shown)
    for place, product in enumerate(evaluation.by_product):
        hits = pairs[place, place]
        assert (product.sku, product.photos, product.measured) == (skus[place], place, shown[place])
        assert product.recall == (round(hits / shown[place], 4) if shown[place] else None)
        assert product.precision == (round(hits / answers[place], 4) if answers[place] else None)
    wrong = {
        (product.sku, other.sku): other.photos
        for product in evaluation.by_product
        for other in product.confused_with
    }
    assert wrong == {(skus[a], skus[b]): count for (a, b), count in pairs.items() if a != b}
    recalls = [pairs[place, place] / count for place, count in shown.items()]
    assert evaluation.accuracy.macro_recall == pytest.approx(np.mean(recalls), abs=1e-4)

    told = json.loads(accuracy_metrics(evaluation))
    assert len(told["by_product"]) >= 15
    assert told["by_product_left_out"] == products - len(told["by_product"])
