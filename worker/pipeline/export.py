"""The export stage: the published TensorFlow.js graph, from RGB pixels to probabilities."""

from pathlib import Path
from typing import Final

import numpy as np

from worker.backbone.backbone import Backbone
from worker.backbone.layers import Weights, arrays
from worker.backbone.template import SCORE
from worker.training.model import Model
from worker.training.scored_head import ScoredHead

PUBLISHED_FLOAT: Final = np.float16
"""The type in which weights are stored in the published files; half the bytes of float32, and no accuracy lost."""


def export(backbone: Backbone, model: Model, folder: Path) -> None:
    """Write `model.json` and `group1-shard*.bin` into `folder`.

    The model's tail takes the place of the backbone's own where it was fine-tuned. Raises ValueError for weights
    that PUBLISHED_FLOAT cannot hold.
    """
    slots = backbone.facts.slots
    own = _arrays_of(model.head)
    values = {slots[name]: array for name, array in (arrays(model.tail or {}) | own).items()}
    graph = backbone.template.with_weights(values, products=len(model.head.head.bias))
    # The score adds up large numbers of both signs, and its arrays are small.
    graph.with_float_type(PUBLISHED_FLOAT, exact=[slots[name] for name in SCORE]).write(folder)


def _arrays_of(head: ScoredHead) -> dict[str, Weights]:
    """By the names in HEAD and SCORE."""
    score = head.score
    return {
        "head/kernel": head.head.kernel,
        "head/bias": head.head.bias,
        "score/mean": score.mean[:, None],
        "score/scale": score.scale,
        "score/shift": score.shift,
        "score/half_lengths": score.distances.half_lengths,
        "score/basis": score.distances.basis,
        "score/weights": score.score.weights,
        "score/constant": np.array([score.published_constant], np.float32),
    }
