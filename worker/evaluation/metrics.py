"""Metrics of a model, from its answers to photos that did not train it. All functions here are pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worker.arrays import Floats, Indices, Labels, Mask, softmax

BINS = 10
CHUNK = 512
# The 97.5% point of the normal distribution, for an interval of 95%.
Z = 1.959964


@dataclass(frozen=True)
class Interval:
    """The confidence interval of 95% of a share, 0 to 1."""

    low: float
    high: float


@dataclass(frozen=True)
class Accuracy:
    """Shares of held-out photos; every one is `None` when nothing could be held out.

    `top1` and `top3`: the product is the first guess, or among the first three; `interval` is that of `top1`.
    `macro_recall`: the mean of the products' recalls, each product counting the same. `calibration_error`: the
    expected difference between the model's confidence and its accuracy. `photos` and `products` are the numbers of
    those that were held out.
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
    """Number of held-out photos predicted as `sku`."""

    sku: str
    photos: int


@dataclass(frozen=True)
class ProductAccuracy:
    """Of one product: `photos` trained it, and `measured` of them were held out once.

    `recall` is the share of its held-out photos that were recognised, `None` when there were none; `precision` the
    share of right answers among those that named it, `None` when none did. `confused_with`: most frequent first.
    """

    sku: str
    photos: int
    measured: int
    recall: float | None
    precision: float | None
    confused_with: tuple[Confusion, ...]


@dataclass(frozen=True)
class Bin:
    """Held-out photos with a confidence of `low` to `high`: their mean confidence, and the share of right ones."""

    low: float
    high: float
    confidence: float
    accuracy: float
    photos: int


@dataclass(frozen=True)
class Evaluation:
    """`by_product` is in the order of the model's outputs, `reliability` goes up with the confidence."""

    accuracy: Accuracy
    by_product: tuple[ProductAccuracy, ...]
    reliability: tuple[Bin, ...]


def evaluate(
    logits: Floats,
    labels: Labels,
    groups: Labels,
    skus: Sequence[str],
    photos: npt.NDArray[np.int64],
    error_shares: Floats | None = None,
) -> Evaluation:
    """Compare the answers to n photos with their labels.

    `logits` float32 `[n, products]` are calibrated; `labels` and `groups` are `[n]`, and photos of a group were
    taken together. `skus` are in the order of the outputs; `photos` `[products]` counts those that trained each. Of
    equal logits the first counts as the higher one, as in argmax. Shares have 4 digits. The figures are those of
    the published model; where others answered, `error_shares` `[n]` says how likely it is wrong where they are.
    """
    if error_shares is None:
        error_shares = np.ones(len(labels), np.float32)
    predictions, confidence, rank = _answers(logits, labels)
    is_wrong = rank > 0
    correct = 1 - is_wrong * error_shares
    by_product = _by_product(labels, predictions, correct, skus, photos)
    if not len(labels):
        return Evaluation(Accuracy(None, None, None, None, None, 0, 0), by_product, ())
    _, product, measured = np.unique(labels, return_inverse=True, return_counts=True)
    reliability, error = _reliability(confidence, correct)
    accuracy = Accuracy(
        top1=_rounded(correct.mean()),
        interval=_interval(float(correct.mean()), len(labels) / _design_effect(~is_wrong, groups)),
        top3=_rounded((1 - (rank >= 3) * error_shares).mean()),
        macro_recall=_rounded((np.bincount(product, weights=correct) / measured).mean()),
        calibration_error=_rounded(error),
        photos=len(labels),
        products=len(measured),
    )
    return Evaluation(accuracy, by_product, reliability)


def _rounded(share: float) -> float:
    return round(float(share), 4)


def _answers(logits: Floats, labels: Labels) -> tuple[Labels, npt.NDArray[np.float64], Indices]:
    """Of each photo the first guess, its probability, and the rank of the right product, from 0 on."""
    predictions = np.zeros(len(labels), np.int64)
    confidence = np.zeros(len(labels))
    rank = np.zeros(len(labels), np.int64)
    for start in range(0, len(labels), CHUNK):
        rows = slice(start, start + CHUNK)
        part, label = logits[rows], labels[rows, None]
        own = np.take_along_axis(part, label, axis=1)
        predictions[rows] = part.argmax(axis=1)
        confidence[rows] = softmax(part).max(axis=1)
        rank[rows] = ((part > own) | ((part == own) & (np.arange(part.shape[1]) < label))).sum(axis=1)
    return predictions, confidence, rank


def _interval(share: float, photos: float) -> Interval:
    """Wilson's score interval (JASA 1927) for the effective number of independent photos."""
    centre = (share + Z**2 / (2 * photos)) / (1 + Z**2 / photos)
    half = Z / (1 + Z**2 / photos) * np.sqrt(share * (1 - share) / photos + Z**2 / (4 * photos**2))
    return Interval(_rounded(max(0.0, centre - half)), _rounded(min(1.0, centre + half)))


def _design_effect(correct: Mask, groups: Labels) -> float:
    """The ratio of the variance of the mean to that of independent photos, by unbiased estimates, at least 1 (Rao and
    Scott, Biometrics 1992). Where it cannot be estimated, a group counts as one photo (Kish, 1965)."""
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    share = correct.mean()
    if len(sizes) == 1 or share in (0, 1):
        return float((sizes**2).sum() / len(correct))
    residuals = np.bincount(group, weights=correct) - sizes * share
    clustered = len(sizes) / (len(sizes) - 1) * (residuals**2).sum() / len(correct) ** 2
    independent = share * (1 - share) / (len(correct) - 1)
    return max(1.0, float(clustered / independent))


def _reliability(confidence: npt.NDArray[np.float64], correct: Floats) -> tuple[tuple[Bin, ...], float]:
    """Ten bins of equal width, those without a photo left out, and the expected calibration error over them
    (Guo et al., ICML 2017). A bin has its upper edge and not its lower one."""
    bin_of = np.digitize(confidence, np.arange(1, BINS) / BINS, right=True)
    photos = np.bincount(bin_of, minlength=BINS)
    confident = np.bincount(bin_of, weights=confidence, minlength=BINS)
    hits = np.bincount(bin_of, weights=correct, minlength=BINS)
    bins = tuple(
        Bin(number / BINS, (number + 1) / BINS, _rounded(total / count), _rounded(hit / count), count)
        for number, (total, hit, count) in enumerate(zip(confident, hits, photos.tolist(), strict=True))
        if count
    )
    return bins, float(np.abs(confident - hits).sum() / len(correct))


def _by_product(
    labels: Labels,
    predictions: Labels,
    correct: Floats,
    skus: Sequence[str],
    photos: npt.NDArray[np.int64],
) -> tuple[ProductAccuracy, ...]:
    measured = np.bincount(labels, minlength=len(skus)).tolist()
    hits = np.bincount(labels, weights=correct, minlength=len(skus)).tolist()
    named_rightly = np.bincount(labels[labels == predictions], minlength=len(skus))
    named_wrongly = np.bincount(predictions, weights=1 - correct, minlength=len(skus))
    answered = (named_rightly + named_wrongly).tolist()
    confusions: dict[int, list[Confusion]] = {}
    wrong = np.stack([labels, predictions], axis=1)[labels != predictions]
    pairs, counts = np.unique(wrong, axis=0, return_counts=True)
    for (label, prediction), count in zip(pairs.tolist(), counts.tolist(), strict=True):
        confusions.setdefault(label, []).append(Confusion(skus[prediction], count))
    return tuple(
        ProductAccuracy(
            sku=sku,
            photos=int(photos[index]),
            measured=measured[index],
            recall=_rounded(hits[index] / measured[index]) if measured[index] else None,
            precision=_rounded(named_rightly[index] / answered[index]) if answered[index] else None,
            confused_with=tuple(
                sorted(confusions.get(index, ()), key=lambda other: (-other.photos, other.sku))
            ),
        )
        for index, sku in enumerate(skus)
    )
