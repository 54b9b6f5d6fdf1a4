"""What all logits share says whether a photo shows any of our products, and changes no answer."""

import numpy as np
import pytest

from worker.evaluation.thresholds import auroc
from worker.training.heads import Floats, Head, softmax
from worker.training.out_of_distribution import Familiarity, Seen, learn_familiarity

NONE = Seen(np.zeros(0, np.float32), np.zeros(0, np.float32))


def seen(count: int, highest: float, familiar: float, seed: int) -> Seen:
    random = np.random.default_rng(seed)
    return Seen(
        random.normal(highest, 1.0, count).astype(np.float32),
        random.normal(familiar, 0.1, count).astype(np.float32),
    )


def features(count: int, mean: Floats, seed: int) -> Floats:
    noise = np.random.default_rng(seed).normal(scale=0.3, size=(count, len(mean)))
    shaken: Floats = (mean + noise).astype(np.float32)
    return shaken


def test_adding_it_changes_no_probability_and_shifts_all_logits_of_a_photo_by_the_same() -> None:
    random = np.random.default_rng(0)
    mean = random.normal(size=40).astype(np.float32)
    head = Head(random.normal(size=(40, 7)).astype(np.float32), random.normal(size=7).astype(np.float32))
    familiarity = Familiarity(weight=1.3, centre=0.7)
    photos = features(50, mean, seed=1)
    before, after = head.logits(photos), familiarity.added(head, mean).logits(photos)
    assert np.abs(softmax(after) - softmax(before)).max() < 1e-4
    assert np.array_equal(after.argmax(axis=1), before.argmax(axis=1))
    shift = after - before
    assert np.ptp(shift, axis=1).max() < 1e-3
    assert shift[:, 0] == pytest.approx(familiarity.of(photos @ mean), abs=1e-3)
    assert shift.std() > 0.1


def test_photos_of_other_things_get_lower_scores_than_ours() -> None:
    random = np.random.default_rng(1)
    mean, elsewhere = random.normal(size=(2, 60)).astype(np.float32)
    head = Head(random.normal(size=(60, 5)).astype(np.float32), np.zeros(5, np.float32))
    ours, others = features(200, mean, seed=2), features(200, elsewhere, seed=3)
    ours_seen, far = (Seen(head.logits(each).max(axis=1), each @ mean) for each in (ours, others))
    familiarity = learn_familiarity(ours_seen, NONE, far)
    published = familiarity.added(head, mean)
    one, other = (published.logits(each).max(axis=1) for each in (ours, others))
    assert auroc(one, other) >= auroc(ours_seen.highest, far.highest)
    assert auroc(one, other) > 0.95
    assert one == pytest.approx(familiarity.scores(ours_seen), abs=1e-2)


def test_what_does_not_tell_ours_from_others_gets_no_weight() -> None:
    ours, far = seen(300, 5, 1.0, 0), seen(300, 0, 1.0, 1)
    misled = Seen(far.highest, far.familiar + 0.5)
    assert learn_familiarity(ours, NONE, misled).weight == 0


def test_both_kinds_of_others_have_a_say() -> None:
    ours = seen(500, 2, 1.0, 0)
    near, far = seen(500, 0, 1.05, 1), seen(500, 2, 0.8, 2)
    by_far = learn_familiarity(ours, NONE, far).weight
    assert learn_familiarity(ours, near, far).weight < by_far


def test_without_photos_of_other_things_the_usual_weight_is_taken() -> None:
    ours, near = seen(100, 5, 1.0, 0), seen(100, 0, 3.0, 1)
    familiarity = learn_familiarity(ours, near, NONE)
    assert familiarity == learn_familiarity(ours, NONE, NONE)
    assert familiarity.weight > 0
    assert familiarity.of(ours.familiar).mean() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("count", [1, 5])
def test_photos_that_are_all_equally_familiar_say_nothing(count: int) -> None:
    alike = Seen(np.arange(count).astype(np.float32), np.ones(count, np.float32))
    familiarity = learn_familiarity(alike, NONE, seen(5, 0, 0, 0))
    assert np.isfinite([familiarity.weight, familiarity.centre]).all()
    assert familiarity.weight == 0
