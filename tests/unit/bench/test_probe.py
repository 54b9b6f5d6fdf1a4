"""The linear probe is fitted on groups of photos that may look alike."""

from pathlib import Path

import numpy as np

from bench.train.probe import STRENGTH, STRENGTHS, fit, list_photos


def test_photos_with_consecutive_names_stay_together(tmp_path: Path) -> None:
    for product, count in (("A", 7), ("C", 5), ("D", 1)):
        (tmp_path / product).mkdir()
        for number in range(count):
            (tmp_path / product / f"{number}.jpg").touch()
    files, labels, groups = list_photos(tmp_path, ["A", "B", "C", "D"])
    assert [file.name for file in files[:2]] == ["0.jpg", "1.jpg"]
    assert labels.tolist() == [0] * 7 + [2] * 5 + [3]
    assert groups.tolist() == [0] * 5 + [1] * 2 + [2] * 5 + [3]


def test_the_probe_finds_products_that_a_line_separates() -> None:
    random = np.random.default_rng(3)
    labels = np.repeat(np.arange(3), 20)
    features = random.normal(0, 1, (60, 8)) + 9 * np.eye(3, 8)[labels]
    search = fit(features.astype(np.float32), labels, np.arange(60) // 5)
    assert search.best_score_ == 1
    assert search.best_params_[STRENGTH] in STRENGTHS
