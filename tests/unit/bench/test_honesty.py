"""The measures of `make bench-honesty` are what they are defined to be, and its scenes the same every time."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from bench.honesty.claims import reported
from bench.honesty.measures import Answers, auroc, calibration_error, measure
from bench.honesty.scenes import SCENES, SIZE, draw_scene, draw_scenes
from worker.evaluation import accuracy_json, metrics, thresholds

RANDOM = np.random.default_rng(3)


def floats(*values: float) -> npt.NDArray[np.float32]:
    return np.array(values, np.float32)


def test_confidence_that_comes_true_has_no_calibration_error() -> None:
    right = np.array([True] * 8 + [False] * 2)
    assert calibration_error(np.full(10, 0.8, np.float32), right) == pytest.approx(0, abs=1e-4)
    assert calibration_error(np.full(10, 0.95, np.float32), right) == pytest.approx(0.15, abs=1e-4)


def test_errors_of_two_bins_do_not_cancel_out() -> None:
    # Too sure by 0.3 and not sure enough by 0.3: on the whole 0.6 twice.
    assert calibration_error(floats(0.9, 0.3), np.array([False, True])) == pytest.approx(0.8)
    assert calibration_error(floats(0.0, 1.0), np.array([False, True])) == 0
    assert calibration_error(floats(), np.array([], bool)) is None


def test_calibration_error_and_auroc_agree_with_what_the_worker_reports() -> None:
    logits = RANDOM.normal(0, 2, (200, 5)).astype(np.float32)
    labels = np.where(RANDOM.random(200) < 0.6, logits.argmax(axis=1), RANDOM.integers(5, size=200))
    evaluation = metrics.evaluate(
        logits, labels, np.arange(200), list("ABCDE"), np.bincount(labels, minlength=5)
    )
    exponentials = np.exp(logits)
    confidence = (exponentials / exponentials.sum(axis=1, keepdims=True)).max(axis=1)
    found = calibration_error(confidence, logits.argmax(axis=1) == labels)
    assert found == pytest.approx(evaluation.accuracy.calibration_error, abs=2e-4)
    ours, others = (RANDOM.normal(mean, 1, 90).astype(np.float32).round(1) for mean in (1, 0))
    assert auroc(ours, others) == pytest.approx(thresholds.auroc(ours, others), abs=1e-4)


def test_what_a_threshold_lets_through_is_counted_apart() -> None:
    answers = Answers(
        correct=np.array([True, True, False, True]),
        confidence=floats(0.9, 0.8, 0.7, 0.6),
        scores=floats(4, 3, 2, 1),
        near=floats(2.5, 0.5),
        far=floats(0, 0, 0, 2),
    )
    found = measure(answers, {"accept": 2.0, "suggest": 5.0})
    accept, suggest = found.passed["accept"], found.passed["suggest"]
    assert (accept.true_positive_rate, accept.accuracy, accept.near, accept.far) == (0.75, 0.6667, 0.5, 0.25)
    assert (suggest.true_positive_rate, suggest.accuracy, suggest.near, suggest.far) == (0, None, 0, 0)
    assert (found.top1, found.near_auroc, found.far_auroc) == (0.75, 0.75, 0.9062)
    assert found.confidence == pytest.approx(0.75, abs=1e-4)


def test_a_set_of_all_products_has_no_near_others() -> None:
    found = measure(Answers(np.array([True]), floats(1), floats(1), floats(), floats(0)), {"accept": 1.0})
    assert found.near_auroc is None
    assert found.passed["accept"].near is None


def test_claims_are_read_as_the_worker_writes_them() -> None:
    evaluation = metrics.evaluate(
        np.eye(4, 2, dtype=np.float32), np.array([0, 1, 0, 0]), np.arange(4), ["A", "B"], np.array([3, 1])
    )
    scores = np.arange(4, dtype=np.float32)
    rejection = thresholds.choose_thresholds(scores, np.ones(4, bool), scores[:2], scores[:0])
    assert rejection and rejection.near
    accuracy = accuracy_json.as_json(evaluation)
    claims = reported({"accuracy": accuracy, "rejection": asdict(rejection)})
    assert claims["top1"] == evaluation.accuracy.top1
    assert claims["near_auroc"] == rejection.near.auroc
    assert claims["far_auroc"] is None
    assert claims["passed"]["accept"]["score"] == rejection.accept.score
    nothing = reported({"accuracy": accuracy, "rejection": None})
    assert (nothing["near_auroc"], nothing["passed"]) == (None, {})


def test_scenes_are_the_same_every_time(tmp_path: Path) -> None:
    one, same, other = (
        draw_scenes(tmp_path / name, each=1, seed=seed)
        for name, seed in (("one", 3), ("same", 3), ("other", 4))
    )
    assert len(one) == len(SCENES)
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in same]
    contents = {path.read_bytes() for path in (*one, *other)}
    assert len(contents) == 2 * len(SCENES)


@pytest.mark.parametrize("kind", SCENES)
def test_every_scene_shows_something(kind: str) -> None:
    scene = draw_scene(kind, np.random.default_rng(0))
    assert scene.size == SIZE
    assert np.asarray(scene).std() > 3
