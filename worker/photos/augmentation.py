"""Augmentation: the views of a photo for training, the whole photo and random crops."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance

from worker.photos.decode import SIDE, OpenPhoto

WHOLE = "whole"

AREA = (0.6, 1.0)
"""Smallest and largest share of the photo's area in a crop."""

STRETCH = 0.15
"""Largest absolute logarithm of the relative change of a crop's width or height."""

LIGHT = {ImageEnhance.Brightness: 0.25, ImageEnhance.Contrast: 0.2, ImageEnhance.Color: 0.2}
"""Largest relative change of a crop's brightness, contrast and colour, up or down."""


DEFINITION = {
    "area": AREA,
    "stretch": STRETCH,
    "light": {kind.__name__: value for kind, value in LIGHT.items()},
}
"""The definition of views, a part of the features' key: with a change, features are computed again."""


def view_names(count: int) -> tuple[str, ...]:
    """Names of `count` views: the whole photo, then random crops."""
    return (WHOLE, *(f"crop-{number}" for number in range(1, count)))


def make_view(photo: OpenPhoto, sha256: str, name: str) -> npt.NDArray[np.uint8]:
    """Return a view, RGB uint8 `[224, 224, 3]`; half of the crops are mirrored.

    The photo's SHA-256 and the view's name are the seed.
    """
    if name == WHOLE:
        return np.array(photo.whole, dtype=np.uint8)
    random = np.random.default_rng([int(sha256[:16], 16), *name.encode()])
    area, stretch = random.uniform(*AREA), np.exp(random.uniform(-STRETCH, STRETCH))
    width = min(1.0, np.sqrt(area) * stretch) * photo.detail.width
    height = min(1.0, np.sqrt(area) / stretch) * photo.detail.height
    left, top = random.uniform(0, photo.detail.width - width), random.uniform(0, photo.detail.height - height)
    view = photo.detail.resize(
        (SIDE, SIDE), Image.Resampling.BILINEAR, box=(left, top, left + width, top + height)
    )
    if random.random() < 0.5:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for enhance, strength in LIGHT.items():
        view = enhance(view).enhance(random.uniform(1 - strength, 1 + strength))
    return np.array(view, dtype=np.uint8)
