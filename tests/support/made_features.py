"""Makes synthetic features for heads, separable or not."""

import numpy as np
import numpy.typing as npt

from worker.arrays import Floats, Labels
from worker.features.scratch import Scratch
from worker.training.folds import FOLDS
from worker.training.out_of_fold import OutOfFold


def examples(counts: list[int], size: int = 12, spread: float = 1.0, seed: int = 0) -> tuple[Floats, Labels]:
    """`counts[i]` examples of each product `i` around its own mean, in random order, and their labels."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.repeat(np.arange(len(counts)), counts))
    means = random.normal(size=(len(counts), size))
    mixed = random.normal(size=(size, size)) / np.sqrt(size)
    noise = random.normal(size=(len(labels), size)) @ mixed
    return (means[labels] + spread * noise).astype(np.float32), labels


def kept(features: npt.NDArray[np.floating]) -> Scratch:
    """A Scratch with `features` `[photos, views, n]`."""
    scratch = Scratch(len(features), features.shape[1:], np.float16)
    for row, views in enumerate(features):
        scratch.write(row, views.astype(np.float16))
    return scratch


def dealt(photos: int, size: int = 1) -> Labels:
    """The fold of each photo: groups of `size` photos, dealt to the folds in turn."""
    return np.arange(photos) // size % FOLDS


def nothing(size: int) -> Floats:
    """Features of no negatives, `[0, size]`."""
    return np.zeros((0, size), np.float32)


def likes(kind: str, size: int) -> tuple[Floats, Labels]:
    """Features and labels of photos as similar as `kind` describes, with the norm and the sign of the backbone's."""
    random = np.random.default_rng(0)
    unlike = np.sqrt(random.exponential(size=(12, size)))
    unlike *= np.sqrt(3) / np.linalg.norm(unlike, axis=1, keepdims=True)
    match kind:
        case "one photo of each product":
            labels = np.arange(12)
        case "one photo copied for each product":
            labels = np.repeat(np.arange(4), 6)
        case "photos that differ by next to nothing":
            labels = np.repeat(np.arange(4), 6)
            unlike = unlike[:1] * (1 + 0.001 * random.normal(size=(12, size)))
        case _:
            labels, unlike = np.repeat(np.arange(2), 6), np.repeat(unlike[:1], 12, axis=0)
    return unlike[labels].astype(np.float32), labels


def answered(logits: Floats, labels: Labels) -> OutOfFold:
    """Answers of the model that is published, which all groups trained."""
    return OutOfFold(np.arange(len(labels)), logits, labels, np.ones(len(labels), np.float32))
