"""Weights are downloaded whole, by their content, within a limited time; nobody waits twice for what failed."""

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.backbones import MOBILENET
from tests.support.weights_server import Served, serving
from worker.backbone import download as download_module
from worker.backbone.architecture import Architecture
from worker.backbone.download import download, has_failed_before, note_failure
from worker.backbone.spare import CacheFault
from worker.backbone.weights import downloaded_to, pretrained_weights

CONTENT = b"weights" * 100_000


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(CONTENT) as served:
        yield served


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file that Keras has downloaded, and no proxy, gets into the way."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def at(url: str, content: bytes = CONTENT) -> Architecture:
    """MobileNetV2, as if its weights had that content and were there."""
    sha256 = hashlib.sha256(content).hexdigest()
    return replace(MOBILENET, pretrained=replace(MOBILENET.pretrained, url=url, sha256=sha256))


def left(cache: Path) -> list[str]:
    return [path.name for path in cache.rglob("*") if path.is_file()]


def test_the_file_is_kept_and_found_again(served: Served, tmp_path: Path) -> None:
    architecture = at(served.url)
    assert download(architecture, tmp_path) == ""
    assert downloaded_to(architecture, tmp_path).read_bytes() == CONTENT
    assert left(tmp_path) == [MOBILENET.pretrained.file]
    found = pretrained_weights(architecture, tmp_path)
    assert found
    assert found.path == downloaded_to(architecture, tmp_path)


def test_another_content_is_not_kept(served: Served, tmp_path: Path) -> None:
    for content in (b"a page that asks to sign in", CONTENT[:-1], b""):
        served.content = content
        assert "another file than the one that was published" in download(at(served.url), tmp_path)
        assert left(tmp_path) == []


def test_a_connection_that_ends_before_the_answer_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/weights"
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()
        assert download(at(url), tmp_path) != ""
        thread.join()
    assert left(tmp_path) == []


def test_a_server_that_dribbles_is_given_up(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_module, "SECONDS", 0.5)
    served.slowly = True
    started = time.monotonic()
    assert download(at(served.url), tmp_path) == "it took more than 0.5 seconds"
    assert time.monotonic() - started < 5
    assert not downloaded_to(MOBILENET, tmp_path).exists()


def test_a_server_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/weights"
        assert download(at(url), tmp_path)
    assert left(tmp_path) == []


def test_a_refused_connection_and_a_missing_page_are_told(served: Served, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert "refused" in download(at(f"http://127.0.0.1:{port}/weights"), tmp_path)
    assert "404" in download(at(served.url + "-of-old"), tmp_path)
    assert download(at("no address"), tmp_path) != ""
    assert left(tmp_path) == []


def test_a_cache_that_cannot_be_written_is_no_failed_download(served: Served, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CacheFault, match="Not a directory"):
        download(at(served.url), tmp_path / "file")
    note_failure(MOBILENET, tmp_path / "file", "nobody can read this")
    assert not has_failed_before(MOBILENET, tmp_path / "file")


def test_a_failure_is_noted_for_all_who_share_the_cache(tmp_path: Path) -> None:
    assert not has_failed_before(MOBILENET, tmp_path)
    note_failure(MOBILENET, tmp_path, "OSError: nobody is there")
    assert has_failed_before(MOBILENET, tmp_path)
    [mark] = tmp_path.rglob("*.not-downloaded")
    text = mark.read_text()
    assert "OSError: nobody is there" in text
    assert "delete this file or set BACKBONE=mobilenet_v2" in text
    mark.unlink()
    assert not has_failed_before(MOBILENET, tmp_path)
