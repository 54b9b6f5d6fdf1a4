"""What a model that lacked some of a product's groups says of the one that is published."""

import numpy as np
import pytest

from worker.training.learning_curve import error_shares
from worker.training.out_of_fold import OutOfFold

LABELS = np.array([0, 0, 0, 0, 1, 1, 2])
GROUPS = np.array([5, 5, 2, 3, 0, 1, 9])


def test_without_a_photos_own_group_all_others_of_the_product_have_trained() -> None:
    assert error_shares(LABELS, GROUPS) == pytest.approx([2 / 3] * 4 + [1 / 2] * 2 + [0])


def test_without_several_groups_the_rest_has_trained() -> None:
    left_out = np.array([True, True, True, False, False, True, False])
    assert error_shares(LABELS, GROUPS, left_out) == pytest.approx([1 / 3] * 4 + [1 / 2] * 2 + [1])


def test_a_group_of_two_products_counts_for_both() -> None:
    assert error_shares(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2])) == pytest.approx([1 / 2] * 4)


def test_the_published_model_is_expected_to_be_wrong_less_often() -> None:
    logits = np.array([[2, 1], [1, 2], [2, 1]], np.float32)
    shares = np.array([0.5, 0.75, 0.75], np.float32)
    answers = OutOfFold(np.arange(3), logits, np.array([0, 0, 1]), shares)
    assert answers.correct.tolist() == [True, False, False]
    assert answers.expected == pytest.approx([1, 0.25, 0.25])
