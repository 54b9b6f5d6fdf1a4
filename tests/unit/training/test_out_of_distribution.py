"""The out-of-distribution score says whether a photo shows any of our products, and changes no answer."""

import numpy as np
import pytest

from worker.arrays import Floats, softmax
from worker.evaluation.thresholds import auroc
from worker.training.heads import Head
from worker.training.out_of_distribution import OutOfDistributionScore, ScoreInputs, fit_score

NONE = ScoreInputs(np.zeros(0, np.float32), np.zeros(0, np.float32))


def drawn(count: int, max_logit: float, mean_similarity: float, seed: int) -> ScoreInputs:
    random = np.random.default_rng(seed)
    return ScoreInputs(
        random.normal(max_logit, 1.0, count).astype(np.float32),
        random.normal(mean_similarity, 0.1, count).astype(np.float32),
    )


def features(count: int, mean: Floats, seed: int) -> Floats:
    noise = np.random.default_rng(seed).normal(scale=0.3, size=(count, len(mean)))
    shaken: Floats = (mean + noise).astype(np.float32)
    return shaken


def test_adding_it_changes_no_probability_and_shifts_all_logits_of_a_photo_by_the_same() -> None:
    random = np.random.default_rng(0)
    mean = random.normal(size=40).astype(np.float32)
    head = Head(random.normal(size=(40, 7)).astype(np.float32), random.normal(size=7).astype(np.float32))
    score = OutOfDistributionScore(weight=1.3, centre=0.7)
    photos = features(50, mean, seed=1)
    before, after = head.logits(photos), score.added_to(head, mean).logits(photos)
    assert np.abs(softmax(after) - softmax(before)).max() < 1e-4
    assert np.array_equal(after.argmax(axis=1), before.argmax(axis=1))
    shift = after - before
    assert np.ptp(shift, axis=1).max() < 1e-3
    assert shift[:, 0] == pytest.approx(score.offset(photos @ mean), abs=1e-3)
    assert shift.std() > 0.1


def test_photos_of_other_things_get_lower_scores_than_ours() -> None:
    random = np.random.default_rng(1)
    mean, elsewhere = random.normal(size=(2, 60)).astype(np.float32)
    head = Head(random.normal(size=(60, 5)).astype(np.float32), np.zeros(5, np.float32))
    ours, others = features(200, mean, seed=2), features(200, elsewhere, seed=3)
    known, far = (ScoreInputs(head.logits(each).max(axis=1), each @ mean) for each in (ours, others))
    score = fit_score(known, NONE, far)
    published = score.added_to(head, mean)
    one, other = (published.logits(each).max(axis=1) for each in (ours, others))
    assert auroc(one, other) >= auroc(known.max_logit, far.max_logit)
    assert auroc(one, other) > 0.95
    assert one == pytest.approx(score.of(known), abs=1e-2)


def test_what_does_not_tell_ours_from_others_gets_no_weight() -> None:
    ours, far = drawn(300, 5, 1.0, 0), drawn(300, 0, 1.0, 1)
    misled = ScoreInputs(far.max_logit, far.mean_similarity + 0.5)
    assert fit_score(ours, NONE, misled).weight == 0


def test_both_kinds_of_others_have_a_say() -> None:
    ours = drawn(500, 2, 1.0, 0)
    near, far = drawn(500, 0, 1.05, 1), drawn(500, 2, 0.8, 2)
    by_far = fit_score(ours, NONE, far).weight
    assert fit_score(ours, near, far).weight < by_far


def test_without_photos_of_other_things_the_usual_weight_is_taken() -> None:
    ours, near = drawn(100, 5, 1.0, 0), drawn(100, 0, 3.0, 1)
    score = fit_score(ours, near, NONE)
    assert score == fit_score(ours, NONE, NONE)
    assert score.weight > 0
    assert score.offset(ours.mean_similarity).mean() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("count", [1, 5])
def test_photos_that_are_all_equally_similar_to_the_mean_say_nothing(count: int) -> None:
    alike = ScoreInputs(np.arange(count).astype(np.float32), np.ones(count, np.float32))
    score = fit_score(alike, NONE, drawn(5, 0, 0, 0))
    assert np.isfinite([score.weight, score.centre]).all()
    assert score.weight == 0
