"""The demo's server gives the page, the model and the samples, and nothing else of the disk."""

from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from demo.node import install
from demo.serve import serve
from tests.support.waiting import DEADLINE

SECRET = b"not for browsers"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "secret.json").write_bytes(SECRET)
    folder = tmp_path / "v1_20260101"
    (folder / "inside").mkdir(parents=True)
    (folder / "inside" / "deeper.json").write_bytes(SECRET)
    (folder / "link.json").symlink_to(tmp_path / "secret.json")
    (folder / "metadata.json").write_text("{}")
    (folder / "group1-shard1of1.bin").write_bytes(bytes(64))
    return folder


@pytest.fixture
def url(model: Path, tmp_path: Path) -> Iterator[str]:
    photo = tmp_path / "mug.jpg"
    photo.write_bytes(b"\xff\xd8\xff")
    with serve(model, [("MUG-001", photo), ("MUG-002", tmp_path / "gone.jpg")]) as server:
        yield server.url


def ask(url: str, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """The answer to exactly this path: urllib would tidy it first."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=DEADLINE)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/vendor/tf.min.js", "text/javascript; charset=utf-8"),
        ("/model/metadata.json", "application/json"),
        ("/model/group1-shard1of1.bin", "application/octet-stream"),
        ("/samples.json", "application/json"),
        ("/samples/0", "image/jpeg"),
    ],
)
def test_gives_what_the_page_needs(url: str, path: str, kind: str) -> None:
    install()
    status, headers, body = ask(url, path)
    assert status == 200
    assert headers["Content-Type"] == kind
    assert headers["Cache-Control"] == "no-store"
    assert int(headers["Content-Length"]) == len(body) > 0
    head = ask(url, path, "HEAD")
    assert (head[0], head[2]) == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/model/../secret.json",
        "/model/..%2fsecret.json",
        "/model/%2e%2e/secret.json",
        "/model/..%5csecret.json",
        "/model/link.json",
        "/model/inside/deeper.json",
        "/model/inside%2fdeeper.json",
        "/model/inside",
        "/model//etc/passwd",
        "/model/",
        "/model/nothing.json",
        "/model/%00",
        "/model/" + "x" * 5000,
        "//etc/passwd",
        "/..%2fserve.py",
        "/../serve.py",
        "/vendor/tf.js",
        "/vendor/../../package.json",
        "/samples/1",
        "/samples/2",
        "/samples/-1",
        "/samples/..%2fsecret.json",
        "/samples/",
    ],
)
def test_gives_nothing_else(url: str, path: str) -> None:
    status, headers, body = ask(url, path)
    assert status == 404
    assert SECRET not in body
    assert headers["Content-Type"] == "text/plain; charset=utf-8"


def test_says_nothing_on_the_terminal(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    ask(url, "/")
    ask(url, "/nothing")
    assert capfd.readouterr() == ("", "")


def test_frees_its_port(model: Path) -> None:
    with serve(model, []) as first:
        port = first.server_port
    with serve(model, [], port=port) as second:
        assert ask(second.url, "/samples.json")[2] == b"[]"
