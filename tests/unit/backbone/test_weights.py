"""Weights are found by their file, known by its content, and missed by its name."""

from pathlib import Path

import pytest

from worker.backbone import weights as weights_module
from worker.backbone.cache import cached_backbone
from worker.backbone.weights import FILE_NAME, find_weights
from worker.errors import ErrorCode, JobError


def test_weights_are_known_by_their_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    assert find_weights("imagenet") is None
    here, there = tmp_path / "keras" / "models" / FILE_NAME, tmp_path / "own.h5"
    here.parent.mkdir(parents=True)
    for file in (here, there):
        file.write_bytes(b"weights")
    found = [find_weights("imagenet"), find_weights(str(there))]
    assert [weights.path if weights else None for weights in found] == [here, there]
    assert len({weights.sha256 for weights in found if weights}) == 1
    there.write_bytes(b"others")
    changed = find_weights(str(there))
    assert changed
    assert found[1]
    assert changed.sha256 != found[1].sha256
    assert str(here.parent) in weights_module.not_kept().message


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(JobError) as raised:
        cached_backbone(str(tmp_path / "no.h5"), tmp_path / "cache")
    assert raised.value.code == ErrorCode.BASE_WEIGHTS_UNAVAILABLE
    assert str(tmp_path / "no.h5") in raised.value.message
    assert FILE_NAME in raised.value.message
    with pytest.raises(JobError):
        find_weights(str(tmp_path))
    assert not (tmp_path / "cache").exists()
