"""Whether a photo is more like the photos of another product than like those of its own."""

import numpy as np
import pytest

from tests.support.made_features import examples, kept
from worker.training.nearest_photos import nearer_to


def test_a_photo_filed_under_another_product_is_nearer_to_those_of_its_own() -> None:
    features, labels = examples([8, 8, 8], spread=0.3)
    stray = int(np.flatnonzero(labels == 0)[0])
    wrong = labels.copy()
    wrong[stray] = 1
    features_of_all = kept(features[:, None])
    [there] = nearer_to(features_of_all, wrong, np.array([stray]), np.array([0]))
    [here] = nearer_to(features_of_all, labels, np.array([stray]), np.array([1]))
    assert there > 0.3
    assert here < -0.3


def test_the_photo_itself_is_not_its_nearest_one() -> None:
    features = kept(np.array([[1, 0.0], [0, 1], [0, 1], [1, 0]])[:, None])
    labels = np.array([0, 0, 1, 1])
    assert nearer_to(features, labels, np.array([0]), np.array([1])) == pytest.approx([2], abs=1e-3)


def test_a_photo_without_others_of_its_product_or_of_the_other_one() -> None:
    features, labels = kept(np.array([[1, 0.0], [0, 1], [0, 1]])[:, None]), np.array([0, 1, 1])
    assert np.isfinite(nearer_to(features, labels, np.array([0, 1]), np.array([1, 2]))).all()
    assert len(nearer_to(features, labels, np.array([], np.int64), np.array([], np.int64))) == 0


def test_only_the_first_view_counts() -> None:
    views = np.array([[[1, 0.0], [0, 9]], [[0, 1], [9, 0]], [[0, 1], [9, 0]], [[1, 0], [0, 9]]])
    labels = np.array([0, 0, 1, 1])
    assert nearer_to(kept(views), labels, np.array([0]), np.array([1])) == pytest.approx([2], abs=1e-3)
