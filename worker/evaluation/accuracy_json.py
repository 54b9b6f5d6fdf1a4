"""The metrics of a model as JSON: all of them for `metadata.json`, and what fits for the column "AccuracyMetrics"."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from itertools import takewhile

from worker.evaluation.metrics import Accuracy, Evaluation
from worker.job.outcome import BY_PRODUCT_LEFT_OUT

# Characters that the column "AccuracyMetrics" holds.
LONGEST = 2000
# Products that each product was confused with, named there.
CONFUSIONS = 3


def as_json(evaluation: Evaluation) -> dict[str, object]:
    """All of it, for the published metadata; its keys mean what they mean in `accuracy_metrics`."""
    return {
        **_summary(evaluation.accuracy),
        "by_product": [asdict(product) for product in evaluation.by_product],
        "not_measured": [product.sku for product in evaluation.by_product if not product.measured],
        "reliability": [asdict(bin) for bin in evaluation.reliability],
    }


def accuracy_metrics(evaluation: Evaluation, extra: Mapping[str, object] | None = None) -> str:
    """JSON for the column "AccuracyMetrics", at most 2,000 characters.

    The products with the worst recall come first, those without one last, as many as fit beside the keys of
    `extra`; a key of `extra` that does not fit by itself is left out. Raises ValueError where one is not finite.
    """
    worst = sorted(evaluation.by_product, key=lambda product: (product.recall is None, product.recall or 0.0))
    rows = [
        {key: getattr(product, key) for key in ("sku", "photos", "recall", "precision")}
        | {"confused_with": [other.sku for other in product.confused_with[:CONFUSIONS]]}
        for product in worst
    ]

    def text(top: Mapping[str, object], shown: int) -> str:
        whole = {**top, "by_product": rows[:shown], BY_PRODUCT_LEFT_OUT: len(rows) - shown}
        return json.dumps(whole, ensure_ascii=False, separators=(",", ":"), allow_nan=False)

    top = _summary(evaluation.accuracy)
    for key, value in (extra or {}).items():
        if len(text({**top, key: value}, shown=0)) <= LONGEST:
            top[key] = value
    texts = (text(top, shown) for shown in range(len(rows) + 1))
    return list(takewhile(lambda candidate: len(candidate) <= LONGEST, texts))[-1]


def _summary(accuracy: Accuracy) -> dict[str, object]:
    return {
        "top1": accuracy.top1,
        "top1_low": accuracy.interval and accuracy.interval.low,
        "top1_high": accuracy.interval and accuracy.interval.high,
        "top3": accuracy.top3,
        "macro_recall": accuracy.macro_recall,
        "calibration_error": accuracy.calibration_error,
        "photos": accuracy.photos,
        "products": accuracy.products,
    }
