"""Backbones for tests: converted once for all tests of a run, and had without the internet."""

from pathlib import Path
from typing import Final

from worker.backbone.architecture import Architecture
from worker.backbone.architectures import ARCHITECTURES
from worker.backbone.backbone import Backbone
from worker.backbone.cache import cached_backbone
from worker.backbone.weights import WeightsFile, pretrained_weights, random_weights

MOBILENET: Final = ARCHITECTURES["mobilenet_v2"]
LITE0: Final = ARCHITECTURES["efficientnet_lite0"]
BOTH: Final = (MOBILENET.name, LITE0.name)

SETTINGS: Final = {"BACKBONE": LITE0.name, "BASE_WEIGHTS": "imagenet"}
"""The settings of workers that tests start: weights that are installed, so that nobody asks the internet for others."""


RANDOM_SETTINGS: Final = {"BACKBONE": MOBILENET.name, "BASE_WEIGHTS": "random"}
"""Settings for photos that are to look unrelated, where real weights see that they were drawn alike."""


def weights_for_tests(architecture: Architecture) -> WeightsFile:
    """Real weights of EfficientNet-Lite0, which come with the packages; of another architecture random ones."""
    if architecture is not LITE0:
        return random_weights(architecture)
    installed = pretrained_weights(LITE0, Path("/nowhere"))
    assert installed
    return installed


def real_backbone(cache: Path) -> Backbone:
    """One that recognises things."""
    return backbone_of(LITE0.name, cache)


def random_backbone(cache: Path) -> Backbone:
    """One for tests to which it is all the same what is recognised."""
    return backbone_of(MOBILENET.name, cache)


def backbone_of(name: str, cache: Path) -> Backbone:
    return cached_backbone(weights_for_tests(ARCHITECTURES[name]), cache)
