"""What a model answered to photos that did not train it."""

from dataclasses import replace

from tests.support.made_photos import FACTS
from worker.evaluation.mislabelled import PhotoResult
from worker.photos.facts import PhotoFacts


def photo(number: int, sku: str = "CUP", facts: PhotoFacts = FACTS) -> PhotoResult:
    """One that the model was right and sure about."""
    return PhotoResult(f"products/{sku}/{number}.jpg", sku, facts, sku, 0.99, 0.99)


def stray(number: int, sku: str = "CUP", prediction: str = "JUG") -> PhotoResult:
    """A photo that the model surely takes for one of another product, and whose nearest neighbour is there, too."""
    return replace(
        photo(number, sku), prediction=prediction, confidence=0.97, label_probability=0.001, nearer=0.3
    )


def taken_for(sku: str, other: str, photos: int, wrong: int) -> list[PhotoResult]:
    """Photos of one product, the first of which the model takes for those of another, which are no nearer."""
    return [
        replace(stray(number, sku, other), nearer=0.0) if number < wrong else photo(number, sku)
        for number in range(photos)
    ]
