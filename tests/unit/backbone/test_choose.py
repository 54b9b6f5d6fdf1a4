"""The backbone that a job trains on: what was asked for, else the active model's, else the first that can be had."""

import errno
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.backbones import LITE0, MOBILENET
from tests.support.weights_files import made_arrays, small, write_keras_file, write_torch_file
from tests.support.weights_server import Served, serving
from worker.backbone import cache as cache_module
from worker.backbone import choose as choose_module
from worker.backbone import weights as weights_module
from worker.backbone.architecture import Architecture
from worker.backbone.architectures import ARCHITECTURES
from worker.backbone.choose import ChosenBackbone, choose_backbone
from worker.backbone.download import has_failed_before
from worker.backbone.spare import CacheFault, spare_cache
from worker.backbone.usable import usable_backbone
from worker.backbone.weights import WeightsFile, _sha256
from worker.errors import ErrorCode, JobError

LITE2 = ARCHITECTURES["efficientnet_lite2"]

Give = Callable[[Architecture], Path]


@pytest.fixture
def served() -> Iterator[Served]:
    """Where MobileNetV2's weights would be downloaded from; what is there is something else."""
    with serving(b"a page that asks to sign in") as served:
        yield served


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Only what this module keeps in it: nothing is converted."""
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def give(tmp_path: Path, served: Served, monkeypatch: pytest.MonkeyPatch) -> Give:
    """A machine without weights, which an architecture's are given to as files of a few bytes."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "keras" / "models").mkdir(parents=True)
    folders = {each.pretrained.package: tmp_path / each.name for each in (LITE0, LITE2)}
    known: dict[str, Architecture] = {}
    for each in ARCHITECTURES.values():
        content = f"weights of {each.name}".encode()
        (tmp_path / "content").write_bytes(content)
        pretrained = replace(each.pretrained, sha256=_sha256(tmp_path / "content"))
        known[each.name] = replace(
            each, pretrained=replace(pretrained, url=served.url if pretrained.url else "")
        )

    def find_spec(package: str) -> SimpleNamespace | None:
        folder = folders[package]
        return SimpleNamespace(submodule_search_locations=[str(folder)]) if folder.exists() else None

    for module in (choose_module, weights_module):
        monkeypatch.setattr(module, "ARCHITECTURES", known)
    monkeypatch.setattr("importlib.util.find_spec", find_spec)

    def give(architecture: Architecture) -> Path:
        pretrained = architecture.pretrained
        folder = folders.get(pretrained.package, tmp_path / "keras" / "models")
        (folder / pretrained.file).parent.mkdir(parents=True, exist_ok=True)
        (folder / pretrained.file).write_text(f"weights of {architecture.name}")
        return folder / pretrained.file

    return give


def names(chosen: ChosenBackbone) -> tuple[str, str]:
    return chosen.weights.architecture.name, chosen.weights.name


def automatic(cache: Path, active: str | None = None) -> ChosenBackbone:
    return choose_backbone("auto", "imagenet", active, cache)


def test_mobilenet_is_taken_where_keras_has_its_file(give: Give, cache: Path, served: Served) -> None:
    give(LITE0)
    file = give(MOBILENET)
    chosen = automatic(cache)
    assert names(chosen) == ("mobilenet_v2", file.name)
    assert chosen.reason == "It is the first whose weights are there."
    assert served.asked == 0


def test_lite0_is_taken_where_mobilenet_cannot_be_had(give: Give, cache: Path, served: Served) -> None:
    give(LITE0)
    chosen = automatic(cache)
    assert chosen.weights.architecture.name == "efficientnet_lite0"
    assert "the weights of MobileNetV2 1.0/224 are not: they could not be downloaded (" in chosen.reason
    assert "another file than the one that was published" in chosen.reason


def test_what_failed_once_is_not_tried_again_unless_it_is_asked_for(
    give: Give, cache: Path, served: Served
) -> None:
    give(LITE0)
    for _ in range(3):
        assert automatic(cache).weights.architecture.name == "efficientnet_lite0"
    assert served.asked == 1
    assert has_failed_before(MOBILENET, cache)
    with pytest.raises(JobError) as raised:
        choose_backbone("mobilenet_v2", "imagenet", None, cache)
    assert served.asked == 2
    assert raised.value.code == ErrorCode.BASE_WEIGHTS_UNAVAILABLE
    assert served.url in raised.value.message


def test_a_download_that_works_is_done_once(give: Give, cache: Path, served: Served) -> None:
    give(LITE0)
    served.content = b"weights of mobilenet_v2"
    for setting in ("auto", "mobilenet_v2", "auto"):
        assert choose_backbone(setting, "imagenet", None, cache).weights.architecture.name == "mobilenet_v2"
    assert served.asked == 1


def test_weights_that_cannot_be_kept_are_had_for_this_time(
    give: Give, tmp_path: Path, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def convert(weights: WeightsFile, folder: Path) -> None:
        facts = {"weights": weights.name, "architecture": weights.architecture.name}
        rest = {"weights_sha256": weights.sha256, "slots": {}, "offsets": {}}
        (folder / "facts.json").write_text(json.dumps(facts | rest))

    monkeypatch.setattr(cache_module, "_convert", convert)
    served.content = b"weights of mobilenet_v2"
    file = tmp_path / "file"
    file.touch()
    heard: list[OSError] = []
    for _ in range(2):
        backbone, reason = usable_backbone("mobilenet_v2", "imagenet", None, file, heard.append)
        assert (backbone.architecture.name, reason) == ("mobilenet_v2", "BACKBONE is mobilenet_v2.")
        assert backbone.folder.is_relative_to(spare_cache())
    assert {error.errno for error in heard} == {errno.ENOTDIR}
    with pytest.raises(CacheFault):
        usable_backbone("mobilenet_v2", "imagenet", None, file)


def test_weights_that_come_later_are_taken_although_a_download_has_failed(
    give: Give, cache: Path, served: Served
) -> None:
    give(LITE0)
    automatic(cache)
    give(MOBILENET)
    assert automatic(cache).weights.architecture.name == "mobilenet_v2"


@pytest.mark.parametrize("active", [MOBILENET, LITE0, LITE2], ids=str)
def test_the_active_models_backbone_comes_first(
    active: Architecture, give: Give, cache: Path, served: Served
) -> None:
    for architecture in ARCHITECTURES.values():
        give(architecture)
    chosen = automatic(cache, active.name)
    assert chosen.weights.architecture.name == active.name
    assert chosen.reason == "The active model has it."
    assert served.asked == 0


def test_another_is_taken_where_the_active_models_weights_are_missing(give: Give, cache: Path) -> None:
    give(MOBILENET)
    chosen = automatic(cache, "efficientnet_lite2")
    assert chosen.weights.architecture.name == "mobilenet_v2"
    assert chosen.reason == (
        "It is the first whose weights are there; the weights of EfficientNet-Lite2 are not: the package is not "
        "installed."
    )


@pytest.mark.parametrize("active", [None, "", "resnet", "MobileNetV2 1.0/224"])
def test_an_active_model_of_an_unknown_backbone_changes_nothing(
    active: str | None, give: Give, cache: Path
) -> None:
    give(MOBILENET)
    chosen = automatic(cache, active)
    assert (chosen.weights.architecture.name, chosen.reason) == (
        "mobilenet_v2",
        "It is the first whose weights are there.",
    )


def test_two_workers_keep_to_the_active_model_though_only_one_could_download(
    give: Give, tmp_path: Path, served: Served
) -> None:
    give(LITE0)
    cut_off, connected = tmp_path / "cut off", tmp_path / "connected"
    first = automatic(cut_off).weights.architecture.name
    served.content = b"weights of mobilenet_v2"
    assert first == "efficientnet_lite0"
    assert automatic(connected).weights.architecture.name == "mobilenet_v2", "there is no active model yet"
    for cache in (cut_off, connected):
        assert automatic(cache, first).weights.architecture.name == first
    assert automatic(connected, "mobilenet_v2").weights.architecture.name == "mobilenet_v2"
    # It cannot have the active model's, and says so.
    other = automatic(cut_off, "mobilenet_v2")
    assert other.weights.architecture.name == "efficientnet_lite0"
    assert "the weights of MobileNetV2 1.0/224 are not: they could not be downloaded" in other.reason


def test_the_extra_is_neither_taken_nor_missed_unless_it_is_asked_for(give: Give, cache: Path) -> None:
    give(LITE2)
    with pytest.raises(JobError) as raised:
        automatic(cache)
    assert raised.value.code == ErrorCode.BASE_WEIGHTS_UNAVAILABLE
    assert "Lite2" not in raised.value.message
    chosen = choose_backbone("efficientnet_lite2", "imagenet", None, cache)
    assert (chosen.weights.architecture.name, chosen.reason) == (
        "efficientnet_lite2",
        "BACKBONE is efficientnet_lite2.",
    )


def test_an_extra_that_is_asked_for_and_not_installed_is_told(cache: Path) -> None:
    with pytest.raises(JobError) as raised:
        choose_backbone("efficientnet_lite2", "imagenet", None, cache)
    assert raised.value.code == ErrorCode.BASE_WEIGHTS_UNAVAILABLE
    assert "Install training-worker[lite2]" in raised.value.message


def test_a_changed_package_is_told_to_who_asks_for_it_and_passed_over_by_others(
    give: Give, cache: Path
) -> None:
    give(LITE0).write_text("changed")
    with pytest.raises(JobError) as raised:
        choose_backbone("efficientnet_lite0", "imagenet", None, cache)
    assert raised.value.code == ErrorCode.BASE_WEIGHTS_INVALID
    give(MOBILENET)
    chosen = automatic(cache, "efficientnet_lite0")
    assert chosen.weights.architecture.name == "mobilenet_v2"
    assert "is not the file that was published" in chosen.reason


def test_a_machine_without_any_weights_is_told_all_that_is_missing(cache: Path) -> None:
    with pytest.raises(JobError) as raised:
        automatic(cache)
    assert raised.value.code == ErrorCode.BASE_WEIGHTS_UNAVAILABLE
    message = raised.value.message
    assert message.startswith("There are no weights of MobileNetV2 1.0/224, EfficientNet-Lite0;")
    assert "the package is not installed" in message


@pytest.mark.parametrize(
    ("setting", "architecture"),
    [
        ("auto", "mobilenet_v2"),
        ("mobilenet_v2", "mobilenet_v2"),
        ("efficientnet_lite0", "efficientnet_lite0"),
    ],
)
def test_random_weights_are_for_who_asks_for_them(
    setting: str, architecture: str, cache: Path, served: Served
) -> None:
    chosen = choose_backbone(setting, "random", "efficientnet_lite0", cache)
    assert (names(chosen), chosen.weights.path) == ((architecture, "random"), None)
    assert chosen.reason == "BASE_WEIGHTS asks for random weights, which recognise nothing."
    assert served.asked == 0


def test_own_weights_are_of_the_architecture_that_their_file_is_of(tmp_path: Path, cache: Path) -> None:
    keras = write_keras_file(made_arrays(small(MOBILENET)), tmp_path / "own.h5")
    torch = write_torch_file(made_arrays(small(LITE0)), tmp_path / "own.pth")
    other = tmp_path / "other"
    other.write_text("no weights")
    for path, architecture in (
        (keras, "mobilenet_v2"),
        (torch, "efficientnet_lite0"),
        (other, "mobilenet_v2"),
    ):
        chosen = choose_backbone("auto", str(path), None, cache)
        assert names(chosen) == (architecture, path.name)
        assert chosen.reason == f"BASE_WEIGHTS names {path}."
    assert names(choose_backbone("efficientnet_lite0", str(keras), None, cache))[0] == "efficientnet_lite0"
    with pytest.raises(JobError) as raised:
        choose_backbone("auto", str(tmp_path / "none.h5"), None, cache)
    assert raised.value.code == ErrorCode.BASE_WEIGHTS_UNAVAILABLE
