"""Top-1 and top-3 accuracy. Needs no TensorFlow."""

import numpy as np
import numpy.typing as npt


def shares(right: npt.NDArray[np.bool_], products: int) -> dict[str, float]:
    """Top-1 and top-3 accuracy of `right`, bool `[photos, 3]`: whether the 1st, 2nd and 3rd guess is correct."""
    return {
        "photos": len(right),
        "products": products,
        "top1": round(float(right[:, 0].mean()), 4),
        "top3": round(float(right.any(axis=1).mean()), 4),
    }
