"""The column has what fits, the worst products first, and the metadata have everything."""

import json
import string

import numpy as np
import pytest

from tests.support.made_evaluations import PHOTOS, SKUS, small
from worker.evaluation.accuracy_json import accuracy_metrics, as_json
from worker.evaluation.metrics import Evaluation, evaluate


def test_the_column_has_the_worst_products_first_and_those_not_measured_last() -> None:
    told = json.loads(accuracy_metrics(small(), {"thresholds": {"accept": 0.7}}))
    assert list(told) == [
        "top1",
        "top1_low",
        "top1_high",
        "top3",
        "macro_recall",
        "calibration_error",
        "photos",
        "products",
        "thresholds",
        "by_product",
        "by_product_left_out",
    ]
    assert [product["sku"] for product in told["by_product"]] == ["E", "A", "B", "C", "D"]
    assert told["by_product"][1] == {
        "sku": "A",
        "photos": 6,
        "recall": 0.3333,
        "precision": 0.5,
        "confused_with": ["B"],
    }


def test_the_metadata_say_the_same_and_leave_nothing_out() -> None:
    evaluation = small()
    everything = json.loads(json.dumps(as_json(evaluation), allow_nan=False))
    told = json.loads(accuracy_metrics(evaluation))
    shares = [key for key in told if not key.startswith("by_product")]
    assert {key: everything[key] for key in shares} == {key: told[key] for key in shares}
    assert [product["sku"] for product in everything["by_product"]] == list(SKUS)
    assert everything["by_product"][0]["confused_with"] == [{"sku": "B", "photos": 2}]
    assert everything["not_measured"] == ["D"]
    assert everything["reliability"][0] == {
        "low": 0.3,
        "high": 0.4,
        "confidence": 0.315,
        "accuracy": 0.0,
        "photos": 2,
    }


ALPHABETS = (string.ascii_uppercase, '"\\', "\x01\x1f\n", "éЖ漢", "😀🧴", "\"\\/\t😀<>&\u2028\x7f'")


def drawn(seed: int) -> Evaluation:
    """Of up to 70 products with SKUs of up to 50 characters, as awkward in JSON as they come."""
    random = np.random.default_rng(seed)
    products, photos = int(random.integers(2, 70)), int(random.integers(0, 300))
    letters = list(ALPHABETS[seed % len(ALPHABETS)])
    skus = ["".join(random.choice(letters, random.integers(1, 51))) for _ in range(products)]
    labels = random.integers(0, products, photos)
    logits = random.normal(size=(photos, products)).astype(np.float32)
    return evaluate(logits, labels, labels, skus, random.integers(1, 1000, products))


@pytest.mark.parametrize("seed", range(60))
def test_the_column_holds_what_fits_whatever_the_skus_are(seed: int) -> None:
    evaluation = drawn(seed)
    extra: dict[str, object] = {"thresholds": {"accept": 0.5}, "long": "x" * 1900, "others": [1, 2]}
    for more in ({}, extra):
        text = accuracy_metrics(evaluation, more)
        assert len(text) <= 2000
        told = json.loads(text)
        assert len(told["by_product"]) + told["by_product_left_out"] == len(evaluation.by_product)
        assert told["by_product"] or more
        assert not told["by_product_left_out"] or len(text) > 2000 - 6 * 4 * 50 - 100, "one more fits"
        recalls = [product["recall"] for product in told["by_product"] if product["recall"] is not None]
        assert recalls == sorted(recalls)
        assert told.keys() & extra.keys() == more.keys() - {"long"}
        known = {product.sku: product for product in evaluation.by_product}
        for product in told["by_product"]:
            others = [other.sku for other in known[product["sku"]].confused_with]
            assert product["confused_with"] == others[:3]


def test_letters_of_any_language_take_the_room_of_one() -> None:
    nothing = np.zeros(0, np.int64)
    logits = np.zeros((0, 2), np.float32)
    assert "Чай-漢" in accuracy_metrics(evaluate(logits, nothing, nothing, ("Чай-漢", "B"), PHOTOS[:2]))


def test_a_number_that_json_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        accuracy_metrics(small(), {"threshold": float("nan")})
