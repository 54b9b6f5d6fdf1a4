"""Fine-tuning is judged on photos that did not train it, and published as it was judged."""

import numpy as np
import pytest

from tests.support.made_features import answered, examples
from worker.arrays import Floats, Indices, Labels
from worker.evaluation.thresholds import auroc
from worker.training.out_of_fold import OutOfFold
from worker.training.trial import Trial, fit_tuned_head, judge

PRODUCTS, SIZE = 6, 10


def tried() -> tuple[Trial, Floats, Labels]:
    """A trial; the features of the photos that were held out, and their labels."""
    x, labels = examples([30] * PRODUCTS, SIZE, spread=0.5)
    held_out = np.arange(len(labels)) % 3 == 0
    head = fit_tuned_head(x[~held_out], labels[~held_out])
    random = np.random.default_rng(1)
    others, negatives = (random.normal(scale=3, size=(40, SIZE)).astype(np.float32) for _ in range(2))
    indices = np.flatnonzero(held_out)
    seen = np.full(len(indices), 2 / 3, np.float32)
    trial = judge(head, x[held_out], indices, labels[held_out], seen, others, negatives)
    return trial, x[held_out], labels[held_out]


def test_the_photos_held_out_are_answered_by_the_calibrated_head_that_was_tried() -> None:
    trial, x, labels = tried()
    assert np.array_equal(trial.measured.indices, np.arange(0, 180, 3))
    assert np.array_equal(trial.measured.labels, labels)
    assert np.array_equal(trial.measured.logits, trial.head.head.logits(x))
    assert trial.measured.top1 > 0.8
    assert np.array_equal(trial.scores, trial.head.scores(x))
    assert trial.scores.mean() == pytest.approx(0, abs=1e-4)
    assert auroc(trial.scores, trial.near) > 0.8
    assert auroc(trial.scores, trial.far) > 0.8


def test_the_published_head_has_the_temperature_and_the_score_of_the_one_that_was_tried() -> None:
    trial, x, _ = tried()
    everything = fit_tuned_head(*examples([30] * PRODUCTS, SIZE, spread=0.5))
    published = trial.finished(everything)
    factor = np.float32(trial.inverse_temperature)
    assert published.head.logits(x) == pytest.approx(everything.head.logits(x) * factor, rel=1e-3, abs=1e-3)
    assert published.score.score is trial.score
    again = trial.finished(fit_tuned_head(*without_a_third(*examples([30] * PRODUCTS, SIZE, spread=0.5))))
    assert np.array_equal(again.scores(x), trial.scores)


def without_a_third(x: Floats, labels: Labels) -> tuple[Floats, Labels]:
    kept = np.arange(len(labels)) % 3 != 0
    return x[kept], labels[kept]


def answers(right: Indices, photos: int = 40) -> OutOfFold:
    """Of which those at `right` are right."""
    labels = np.arange(photos) % 4
    said = (labels + 1) % 4
    said[right] = labels[right]
    logits = np.eye(4, dtype=np.float32)[said]
    return answered(logits, labels)


@pytest.mark.parametrize(
    ("tuned", "head", "photos_a_group", "expected"),
    [(40, 20, 1, True), (20, 20, 1, True), (19, 20, 1, True), (10, 20, 1, False), (10, 20, 10, True)],
)
def test_fine_tuning_is_taken_unless_it_is_significantly_worse(
    tuned: int, head: int, photos_a_group: int, expected: bool
) -> None:
    """Ten more mistakes in photos that were taken together are a single one."""
    trial = Trial(
        **(vars(tried()[0]) | {"measured": answers(np.arange(tuned))}),
    )
    groups = np.arange(40) // photos_a_group
    assert trial.is_good_enough(answers(np.arange(head)), groups) == expected


@pytest.mark.parametrize(
    ("tuned", "head", "expected"),
    [
        (range(40), range(40), 0.8),
        (range(40), range(20), 8 / 30),
        (range(20), range(20), 28 / 30),
        (range(30), range(40), 18 / 10),
    ],
)
def test_few_photos_change_little_of_how_many_errors_fine_tuning_usually_leaves(
    tuned: range, head: range, expected: float
) -> None:
    trial = Trial(**(vars(tried()[0]) | {"measured": answers(np.array(tuned))}))
    assert trial.share_of_errors(answers(np.array(head))) == pytest.approx(expected)
