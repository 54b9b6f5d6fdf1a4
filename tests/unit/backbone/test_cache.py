"""A converted backbone is used only by who would convert the same weights in the same way."""

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.backbones import LITE0, MOBILENET
from tests.support.disks import AS_ROOT, mounted
from worker.backbone import cache as cache_module
from worker.backbone.backbone import FORMAT
from worker.backbone.cache import cached_backbone
from worker.backbone.spare import spare_cache
from worker.backbone.weights import WeightsFile, random_weights

WEIGHTS = WeightsFile(LITE0, "a.pth", Path("/nowhere/a.pth"), "0" * 64)


@pytest.fixture(autouse=True)
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[WeightsFile]:
    """What was converted; instead of a conversion, which takes seconds, the facts of one are written."""
    converted: list[WeightsFile] = []

    def convert(weights: WeightsFile, folder: Path) -> None:
        converted.append(weights)
        facts = {"weights": weights.name, "architecture": weights.architecture.name}
        rest = {"weights_sha256": weights.sha256, "slots": {}, "offsets": {}}
        (folder / "facts.json").write_text(json.dumps(facts | rest))

    monkeypatch.setattr(cache_module, "_convert", convert)
    return converted


def test_what_was_converted_is_used_again_whatever_its_file_is_called(
    conversions: list[WeightsFile], tmp_path: Path
) -> None:
    cached_backbone(WEIGHTS, tmp_path)
    again = cached_backbone(replace(WEIGHTS, path=Path("/elsewhere/b.pth")), tmp_path)
    assert conversions == [WEIGHTS]
    assert again.facts.weights == WEIGHTS.name


def test_an_entry_of_an_older_format_is_not_used(
    conversions: list[WeightsFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "FORMAT", FORMAT - 1)
    before = cached_backbone(WEIGHTS, tmp_path)
    monkeypatch.setattr(cache_module, "FORMAT", FORMAT)
    assert cached_backbone(WEIGHTS, tmp_path).folder != before.folder
    assert len(conversions) == 2
    assert before.folder.exists(), "workers of the older version may still use it"


def test_an_entry_of_other_weights_architecture_or_converters_is_not_used(
    conversions: list[WeightsFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [
        WEIGHTS,
        replace(WEIGHTS, sha256="1" * 64),
        replace(WEIGHTS, architecture=MOBILENET),
        random_weights(LITE0),
        random_weights(MOBILENET),
    ]
    folders = {cached_backbone(weights, tmp_path).folder for weights in others}
    assert conversions == others
    monkeypatch.setattr(cache_module, "version_of", lambda package: f"another {package}")
    folders.add(cached_backbone(WEIGHTS, tmp_path).folder)
    assert len(folders) == len(others) + 1


def test_an_entry_whose_facts_are_of_another_version_is_made_again(
    conversions: list[WeightsFile], tmp_path: Path
) -> None:
    entry = cached_backbone(WEIGHTS, tmp_path).folder
    (entry / "facts.json").write_text(json.dumps({"weights": "a.pth", "weights_sha256": "", "slots": {}}))
    checksums = cache_module._checksums(entry)
    (entry / "checksums.json").write_text(json.dumps(checksums))
    assert cached_backbone(WEIGHTS, tmp_path).facts.architecture == LITE0.name
    assert len(conversions) == 2


def test_a_cache_that_cannot_be_written_is_done_without(
    conversions: list[WeightsFile], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    heard: list[OSError] = []
    first = cached_backbone(WEIGHTS, tmp_path / "file", heard.append)
    again = cached_backbone(WEIGHTS, tmp_path / "file", heard.append)
    assert conversions == [WEIGHTS]
    assert first.folder == again.folder
    assert first.folder.is_relative_to(spare_cache())
    assert [type(error) for error in heard] == [NotADirectoryError] * 2
    with pytest.raises(NotADirectoryError):
        cached_backbone(WEIGHTS, tmp_path / "file")


@AS_ROOT
@pytest.mark.parametrize("options", ["size=32k", "size=1m,ro"])
def test_a_cache_on_a_full_or_read_only_disk_is_done_without(
    conversions: list[WeightsFile], tmp_path: Path, options: str
) -> None:
    heard: list[OSError] = []
    with mounted(tmp_path / "disk", options):
        weights = replace(WEIGHTS, name="a" * 65536, sha256=options)
        assert cached_backbone(weights, tmp_path / "disk", heard.append).folder.is_dir()
        assert not list((tmp_path / "disk").rglob("*.unfinished")), "it would take the last of the space"
    assert [error.errno for error in heard] == [errno.ENOSPC if "32k" in options else errno.EROFS]
