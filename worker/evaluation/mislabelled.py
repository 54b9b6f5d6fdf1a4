"""Finds labels that look wrong, and products that are alike, in a model's answers to photos that did not train it.

All functions here are pure.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from worker.photos.facts import PhotoFacts

UNLIKELY, LIKELY, NEARER = 0.1, 0.5, 0.1
"""A photo contradicts its label where the label's probability, out of fold, is below the first, that of another
product above the second, and the other product's nearest photo is more similar by the third."""

CONFUSED = 0.5
"""Two products are hard to tell apart where more than one photo is taken for the other one, and more than this share
of the photos of the product that has fewer."""


@dataclass(frozen=True)
class PhotoResult:
    """A photo with its label's SKU, and the answer of a model that it did not train: the predicted SKU, and the
    probabilities of the prediction and of the label; `None` where it was not held out.

    `nearer`: how much more similar the nearest photo of the predicted product is than that of its own, as
    `nearest_photos` gives it; `None` where the two are one product.
    """

    name: str
    sku: str
    facts: PhotoFacts
    prediction: str | None = None
    confidence: float | None = None
    label_probability: float | None = None
    nearer: float | None = None

    @property
    def is_wrong(self) -> bool:
        """Whether the prediction is another product."""
        return self.prediction not in (None, self.sku)

    @property
    def contradicts_its_label(self) -> bool:
        if self.label_probability is None or self.confidence is None or self.nearer is None:
            return False
        return self.label_probability < UNLIKELY and self.confidence > LIKELY and self.nearer > NEARER

    @property
    def pair(self) -> tuple[str, str]:
        """The SKUs of label and prediction, in one order whichever is which."""
        one, other = sorted((self.sku, self.prediction or self.sku))
        return one, other


@dataclass(frozen=True)
class Confusions:
    """Number of measured photos of each product, and of photos of two products that are taken for the other one.

    A photo that contradicts its label counts for neither: it says nothing of how alike two products are.
    """

    measured: Counter[str]
    between: Counter[tuple[str, str]]

    @classmethod
    def of(cls, photos: Sequence[PhotoResult]) -> "Confusions":
        measured = Counter(photo.sku for photo in photos if photo.prediction is not None)
        wrong = (photo for photo in photos if photo.is_wrong and not photo.contradicts_its_label)
        return cls(measured, Counter(photo.pair for photo in wrong))

    def are_alike(self, pair: tuple[str, str]) -> bool:
        fewest = min(self.measured[sku] for sku in pair)
        return self.between[pair] > max(1, CONFUSED * fewest)


def mislabelled(photos: Sequence[PhotoResult]) -> list[int]:
    """Indices of the photos whose labels look wrong.

    Where two products are alike, or none of the other one's photos was held out, so that nobody knows how alike they
    are, a photo that contradicts its label is no evidence.
    """
    confusions = Confusions.of(photos)
    return [
        index
        for index, photo in enumerate(photos)
        if photo.contradicts_its_label
        and confusions.measured[photo.prediction or ""]
        and not confusions.are_alike(photo.pair)
    ]
