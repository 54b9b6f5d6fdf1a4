"""The array types that the packages share, and softmax."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

Labels = npt.NDArray[np.int64]
"""The class of each example, as an index into the products."""

Indices = npt.NDArray[np.int64]
"""Indices into another array, such as those of the held-out photos."""

Mask = npt.NDArray[np.bool_]


def softmax(logits: Floats) -> Floats:
    """Probabilities float32 `[n, products]` of logits `[n, products]`."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities
