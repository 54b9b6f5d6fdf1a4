"""A trained model: a head on the features, and the tail that gives them."""

from dataclasses import dataclass

from worker.backbone.layers import Layers
from worker.training.scored_head import ScoredHead


@dataclass(frozen=True)
class Model:
    """`tail` is `None` where it is the backbone's own."""

    head: ScoredHead
    tail: Layers | None
