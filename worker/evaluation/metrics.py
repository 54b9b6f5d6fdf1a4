"""How good a model is, from what was said of photos that did not train it. All functions here are pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile

import numpy as np
import numpy.typing as npt

from worker.training.heads import Floats, Labels, softmax

BINS = 10
CHUNK = 512
# The 97.5% point of the normal distribution, for an interval of 95%.
Z = 1.959964
# What the column "AccuracyMetrics" holds, in characters.
LONGEST = 2000
CONFUSIONS = 3


@dataclass(frozen=True)
class Interval:
    """Where a share lies with 95% confidence, 0 to 1."""

    low: float
    high: float


@dataclass(frozen=True)
class Accuracy:
    """Shares of held-out photos; every one is `None` when nothing could be held out.

    `top1` and `top3`: the product is the first guess, or among the first three; `interval` is that of `top1`.
    `macro_recall`: the mean of the products' recalls, each product counting the same. `calibration_error`: how
    far the model's confidence is from how often it is right. `photos` and `products` say what all this rests on.
    """

    top1: float | None
    interval: Interval | None
    top3: float | None
    macro_recall: float | None
    calibration_error: float | None
    photos: int
    products: int


@dataclass(frozen=True)
class Confusion:
    """So many held-out photos were taken for the product `sku`."""

    sku: str
    photos: int


@dataclass(frozen=True)
class ProductAccuracy:
    """Of one product: how many photos trained it, and how many of them were also held out once.

    `recall` is the share of those that were recognised, `None` when there were none; `precision` the share of
    its answers that were right, `None` when it was never the answer. `confused_with`: most frequent first.
    """

    sku: str
    photos: int
    measured: int
    recall: float | None
    precision: float | None
    confused_with: tuple[Confusion, ...]


@dataclass(frozen=True)
class Bin:
    """Held-out photos with a confidence of `low` to `high`: the mean of it, and how many were right."""

    low: float
    high: float
    confidence: float
    right: float
    photos: int


@dataclass(frozen=True)
class Evaluation:
    """`by_product` is in the order of the model's outputs, `reliability` goes up with the confidence."""

    accuracy: Accuracy
    by_product: tuple[ProductAccuracy, ...]
    reliability: tuple[Bin, ...]


def evaluate(
    logits: Floats, labels: Labels, groups: Labels, skus: Sequence[str], photos: npt.NDArray[np.int64]
) -> Evaluation:
    """Compare what was said of n photos with what they show.

    `logits` float32 `[n, products]` with the temperature in them, `labels` and `groups` `[n]`; photos of a
    group were taken together. `skus` in the order of the outputs, `photos` `[products]` that trained each. Of
    equal logits the first counts as the higher one, as in argmax. Shares have 4 digits.
    """
    guesses, confidence, before = _answers(logits, labels)
    right = before == 0
    by_product = _by_product(labels, guesses, skus, photos)
    if not len(labels):
        return Evaluation(Accuracy(None, None, None, None, None, 0, 0), by_product, ())
    _, place, measured = np.unique(labels, return_inverse=True, return_counts=True)
    reliability, error = _reliability(confidence, right)
    accuracy = Accuracy(
        top1=_share(right.mean()),
        interval=_interval(right, groups),
        top3=_share((before < 3).mean()),
        macro_recall=_share((np.bincount(place, weights=right) / measured).mean()),
        calibration_error=_share(error),
        photos=len(labels),
        products=len(measured),
    )
    return Evaluation(accuracy, by_product, reliability)


def _share(value: float) -> float:
    return round(float(value), 4)


def _answers(logits: Floats, labels: Labels) -> tuple[Labels, npt.NDArray[np.float64], Labels]:
    """Of each photo the first guess, its probability, and how many products come before the right one."""
    guesses = np.zeros(len(labels), np.int64)
    confidence = np.zeros(len(labels))
    before = np.zeros(len(labels), np.int64)
    for start in range(0, len(labels), CHUNK):
        rows = slice(start, start + CHUNK)
        part, label = logits[rows], labels[rows, None]
        own = np.take_along_axis(part, label, axis=1)
        guesses[rows] = part.argmax(axis=1)
        confidence[rows] = softmax(part).max(axis=1)
        before[rows] = ((part > own) | ((part == own) & (np.arange(part.shape[1]) < label))).sum(axis=1)
    return guesses, confidence, before


def _interval(right: npt.NDArray[np.bool_], groups: Labels) -> Interval:
    """Wilson's score interval (JASA 1927) for as many independent photos as these are worth."""
    share = float(right.mean())
    photos = len(right) / _design_effect(right, groups)
    centre = (share + Z**2 / (2 * photos)) / (1 + Z**2 / photos)
    half = Z / (1 + Z**2 / photos) * np.sqrt(share * (1 - share) / photos + Z**2 / (4 * photos**2))
    return Interval(_share(max(0.0, centre - half)), _share(min(1.0, centre + half)))


def _design_effect(right: npt.NDArray[np.bool_], groups: Labels) -> float:
    """How many times the variance of the mean is that of independent photos, by unbiased estimates, at least 1
    (Rao and Scott, Biometrics 1992). Where it cannot be told, a group counts as one photo (Kish, 1965)."""
    _, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    share = right.mean()
    if len(sizes) == 1 or share in (0, 1):
        return float((sizes**2).sum() / len(right))
    residuals = np.bincount(place, weights=right) - sizes * share
    clustered = len(sizes) / (len(sizes) - 1) * (residuals**2).sum() / len(right) ** 2
    independent = share * (1 - share) / (len(right) - 1)
    return max(1.0, float(clustered / independent))


def _reliability(
    confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]
) -> tuple[tuple[Bin, ...], float]:
    """Ten bins of equal width, those without a photo left out, and the expected calibration error over them
    (Guo et al., ICML 2017). A bin has its upper edge and not its lower one."""
    place = np.digitize(confidence, np.arange(1, BINS) / BINS, right=True)
    photos = np.bincount(place, minlength=BINS)
    sure = np.bincount(place, weights=confidence, minlength=BINS)
    hits = np.bincount(place, weights=right, minlength=BINS)
    bins = tuple(
        Bin(number / BINS, (number + 1) / BINS, _share(surety / count), _share(hit / count), count)
        for number, (surety, hit, count) in enumerate(zip(sure, hits, photos.tolist(), strict=True))
        if count
    )
    return bins, float(np.abs(sure - hits).sum() / len(right))


def _by_product(
    labels: Labels, guesses: Labels, skus: Sequence[str], photos: npt.NDArray[np.int64]
) -> tuple[ProductAccuracy, ...]:
    measured = np.bincount(labels, minlength=len(skus)).tolist()
    answered = np.bincount(guesses, minlength=len(skus)).tolist()
    hits = np.bincount(labels[labels == guesses], minlength=len(skus)).tolist()
    confusions: dict[int, list[Confusion]] = {}
    wrong = np.stack([labels, guesses], axis=1)[labels != guesses]
    pairs, counts = np.unique(wrong, axis=0, return_counts=True)
    for (label, guess), count in zip(pairs.tolist(), counts.tolist(), strict=True):
        confusions.setdefault(label, []).append(Confusion(skus[guess], count))
    return tuple(
        ProductAccuracy(
            sku=sku,
            photos=int(photos[place]),
            measured=measured[place],
            recall=_share(hits[place] / measured[place]) if measured[place] else None,
            precision=_share(hits[place] / answered[place]) if answered[place] else None,
            confused_with=tuple(
                sorted(confusions.get(place, ()), key=lambda other: (-other.photos, other.sku))
            ),
        )
        for place, sku in enumerate(skus)
    )


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

    The products with the worst recall come first, those without one last, as many as fit beside `extra`: more
    keys, of which one that does not fit itself is left out. Raises ValueError where one is not finite.
    """
    worst = sorted(evaluation.by_product, key=lambda product: (product.recall is None, product.recall or 0.0))
    rows = [
        {key: getattr(product, key) for key in ("sku", "photos", "recall", "precision")}
        | {"confused_with": [other.sku for other in product.confused_with[:CONFUSIONS]]}
        for product in worst
    ]

    def text(top: Mapping[str, object], shown: int) -> str:
        whole = {**top, "by_product": rows[:shown], "by_product_left_out": len(rows) - shown}
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
