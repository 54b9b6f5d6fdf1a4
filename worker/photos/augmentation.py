"""Augmentation: the views of a photo that train the model, as the browser sees it and as it might have been taken."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance

from worker.photos.decode import SIDE, OpenPhoto

WHOLE = "whole"

AREA = (0.6, 1.0)
"""Share of the photo's area that a crop keeps: a random one between the two."""

STRETCH = 0.15
"""Largest logarithm of a crop's change of aspect ratio, up or down."""

LIGHT = {ImageEnhance.Brightness: 0.25, ImageEnhance.Contrast: 0.2, ImageEnhance.Color: 0.2}
"""Largest relative change of each property of a view's light, up or down."""


DEFINITION = {
    "area": AREA,
    "stretch": STRETCH,
    "light": {kind.__name__: value for kind, value in LIGHT.items()},
}
"""How views are made; features that are kept are computed again when this changes."""


def view_names(count: int) -> tuple[str, ...]:
    """The first is the whole photo; each other one is a random crop, mirrored half of the time."""
    return (WHOLE, *(f"crop-{number}" for number in range(1, count)))


def make_view(photo: OpenPhoto, sha256: str, name: str) -> npt.NDArray[np.uint8]:
    """RGB uint8 `[224, 224, 3]`. The seed is made of the photo's bytes and the view's name."""
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
