"""The score of a published model is read from its files before probabilities forget it."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.support.backbones import real_backbone
from worker.backbone.template import Template
from worker.registry.folder import METADATA

RANDOM = np.random.default_rng(3)


def test_the_score_is_read_before_probabilities_forget_it(
    published_model: Path, cache: Path, tmp_path: Path
) -> None:
    # TensorFlow takes seconds to import, and most tests do without it.
    from bench.published import load_published

    bias = real_backbone(cache).facts.slots["head/bias"]
    template = Template.read(published_model)
    raised = template.weights[bias].astype(np.float32) + 3
    template.with_weights({bias: raised}, products=raised.size).write(tmp_path)
    shutil.copy(published_model / METADATA, tmp_path)
    pixels = RANDOM.integers(0, 256, (3, 224, 224, 3), np.uint8)
    one, other = load_published(published_model), load_published(tmp_path)
    assert np.abs(one.predict(pixels) - other.answer(pixels)[0]).max() < 1e-2
    more = other.answer(pixels)[1] - one.answer(pixels)[1]
    # The score weighs its parts, one of which rises with the logits.
    assert more == pytest.approx(more.mean(), abs=1e-2)
    assert more.mean() > 0.1
