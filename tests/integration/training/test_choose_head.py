"""A head is published as it was chosen, however little its photos had to tell."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.backbones import random_backbone
from tests.support.made_features import kept, likes, nothing
from worker.backbone.backbone import Backbone
from worker.backbone.template import Template
from worker.pipeline.export import export
from worker.training.choose_head import choose_head
from worker.training.folds import assign_folds
from worker.training.model import Model


@pytest.fixture(scope="module")
def backbone(cache: Path) -> Backbone:
    return random_backbone(cache)


@pytest.mark.parametrize(
    "kind",
    [
        "one photo of each product",
        "one photo copied for each product",
        "photos that differ by next to nothing",
        "one photo copied for all",
    ],
)
def test_photos_without_a_difference_give_a_head_that_can_be_published(
    kind: str, backbone: Backbone, tmp_path: Path
) -> None:
    features = backbone.architecture.features
    x, labels = likes(kind, features)
    groups, names = np.arange(len(labels)), [f"{number:02}" for number in range(len(labels))]
    folds = assign_folds(labels, groups, names)
    chosen = choose_head(kept(x[:, None]), labels, groups, folds, nothing(x.shape[1]))
    export(backbone, Model(chosen.fitted, None), tmp_path)
    written = Template.read(tmp_path).weights
    kernel, bias = (
        written[backbone.facts.slots[f"head/{part}"]].astype(np.float32) for part in ("kernel", "bias")
    )
    logits = x.astype(np.float16).astype(np.float32) @ kernel + bias.ravel()
    assert np.isfinite(logits.astype(np.float16)).all(), "a graphics card may have nothing larger"
    if kind != "one photo copied for all":
        assert np.array_equal(logits.argmax(axis=1), labels)
