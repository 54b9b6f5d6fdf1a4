"""The backbones that a bench can ask the worker for."""

from dataclasses import dataclass
from pathlib import Path

from bench.train.photos import WrongInput
from worker.backbone.backbone import Backbone
from worker.backbone.cache import cached_backbone
from worker.backbone.choose import choose_backbone
from worker.job.job import IMAGENET

MOBILENET_V2, EFFICIENTNET_LITE0 = "mobilenet_v2", "efficientnet_lite0"
BACKBONES = (MOBILENET_V2, EFFICIENTNET_LITE0)


@dataclass(frozen=True)
class AskedBackbone:
    """The values of the worker's settings BACKBONE and BASE_WEIGHTS."""

    name: str
    base_weights: str

    @property
    def environment(self) -> dict[str, str]:
        return {"BACKBONE": self.name, "BASE_WEIGHTS": self.base_weights}

    def converted(self, cache: Path) -> Backbone:
        """The converted backbone; reads it from `cache` where it is."""
        return cached_backbone(choose_backbone(self.name, self.base_weights, None, cache).weights, cache)


def ask_backbone(name: str, weights: Path) -> AskedBackbone:
    """`weights` are those of MobileNetV2; EfficientNet-Lite0's are installed with the worker. Raises WrongInput."""
    if not weights.is_file():
        raise WrongInput(f"{weights} is not a file: name the Keras .h5 of MobileNetV2 without top.")
    return AskedBackbone(name, str(weights.absolute()) if name == MOBILENET_V2 else IMAGENET)
