"""The export stage: the published TensorFlow.js graph, from RGB pixels to probabilities."""

from pathlib import Path
from typing import Final

import numpy as np

from worker.backbone.backbone import Backbone
from worker.backbone.layers import Layer
from worker.training.model import Model

PUBLISHED_FLOAT: Final = np.float16
"""The type in which weights are stored in the published files; half the bytes of float32, and no accuracy lost."""


def export(backbone: Backbone, model: Model, folder: Path) -> None:
    """Write `model.json` and `group1-shard*.bin` into `folder`.

    The model's tail takes the place of the backbone's own where it was fine-tuned. Raises ValueError for weights
    that PUBLISHED_FLOAT cannot hold.
    """
    replaced = (model.tail or {}) | {"head": Layer(model.head.kernel, model.head.bias)}
    values = {
        backbone.facts.slots[f"{name}/{part}"]: array
        for name, layer in replaced.items()
        for part, array in vars(layer).items()
    }
    graph = backbone.template.with_weights(values, products=len(model.head.bias))
    graph.with_float_type(PUBLISHED_FLOAT).write(folder)
