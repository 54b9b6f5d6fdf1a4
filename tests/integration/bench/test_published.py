"""The bench asks published files, and hears what Python says before it publishes."""

import numpy as np
import pytest

from tests.support.trained_here import TrainedHere

RANDOM = np.random.default_rng(3)


def test_probabilities_and_scores_are_those_of_python(trained: TrainedHere) -> None:
    # TensorFlow takes seconds to import, and most tests do without it.
    from bench.published import load_published

    pixels = RANDOM.integers(0, 256, (3, 224, 224, 3), np.uint8)
    published, expected = load_published(trained.folder), trained.answer(pixels)
    probabilities, scores = published.answer(pixels)
    assert np.abs(probabilities - expected.probabilities).max() < 0.03
    assert np.abs(published.predict(pixels) - probabilities).max() < 1e-5
    assert scores == pytest.approx(expected.scores, abs=0.1)
