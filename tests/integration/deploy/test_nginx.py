"""deploy/nginx.conf in a real nginx: browsers get a model's files, with the right headers, and nothing else."""

import http.client
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.shop import ROOT
from tests.support.waiting import wait_until

# Debian has it where the PATH of an ordinary user does not lead.
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(
    NGINX is None, reason="there is no nginx on this machine: `apt-get install nginx-light` brings one"
)

VERSION = "v1795365387_20261122"
SERVED = {
    "model.json": "application/json",
    "metadata.json": "application/json",
    "product_mapping.json": "application/json",
    "group1-shard1of2.bin": "application/octet-stream",
}
SECRET = "not for browsers"
KEPT = [
    f"{VERSION}/report.html",
    f"{VERSION}/held_out/model.json",
    f"{VERSION}/held_out/metadata.json",
    f"{VERSION}/held_out/group1-shard1of1.bin",
    f"{VERSION}/internal/model.json",
    f"{VERSION}/training.json",
    f"{VERSION}/group1-shard1of1.bin.part",
    f".staging/{VERSION}/owner/model.json",
    f".staging/{VERSION}/model.json",
    ".staging/model.json",
    ".pruned/model.json",
    "model.json",
]
DISGUISED = [
    f"/models/{VERSION}/",
    f"/models/{VERSION}",
    "/models/",
    "/models/..%2fnginx.conf",
    f"/models/{VERSION}/held_out%2fmodel.json",
    f"/models/{VERSION}/%2e%2e/.staging/model.json",
    f"/models/{VERSION}%2f..%2f.staging/model.json",
    f"/models//.staging/{VERSION}/model.json",
    f"/models/{VERSION}/./held_out/model.json",
    "/models/../secret/model.json",
    "/secret/model.json",
    "/",
]


class Server:
    """An nginx with the configuration of the project, but folders and a port of the test's own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        text = (ROOT / "deploy" / "nginx.conf").read_text()
        for ours, here in {
            " /tmp/": f" {folder}/tmp/",
            "listen 8080;": f"listen 127.0.0.1:{self.port};",
            "root /srv;": f"root {folder};",
        }.items():
            assert ours in text
            text = text.replace(ours, here)
        (folder / "tmp").mkdir()
        configuration = folder / "nginx.conf"
        configuration.write_text(text)
        assert NGINX
        # As root it would become somebody else, to whom pytest's folders are closed.
        stay = "user root;" if os.geteuid() == 0 else ""
        self.process = subprocess.Popen(
            [NGINX, "-e", "stderr", "-c", configuration, "-g", f"daemon off; {stay}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def answers(self) -> bool:
        assert self.process.poll() is None, self.process.stdout and self.process.stdout.read()
        try:
            return self.ask("/health")[0] == 204
        except OSError:
            return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("web")
    for path in [*(f"{VERSION}/{name}" for name in SERVED), *KEPT, "../secret/model.json"]:
        file = folder / "models" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}" * 1000 if Path(path).name in SERVED and path.count("/") == 1 else SECRET)
    server = Server(folder)
    try:
        wait_until(server.answers, "an nginx that answers")
        yield server
    finally:
        server.process.terminate()
        server.process.communicate()


@pytest.mark.parametrize("name", SERVED)
def test_what_a_browser_loads_is_kept_for_good(server: Server, name: str) -> None:
    status, headers, body = server.ask(f"/models/{VERSION}/{name}")
    assert (status, body) == (200, b"{}" * 1000)
    assert headers["content-type"] == SERVED[name]
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["x-content-type-options"] == "nosniff"
    assert "nginx/" not in headers["server"]
    status, headers, _ = server.ask(f"/models/{VERSION}/{name}", **{"If-None-Match": headers["etag"]})
    assert (status, headers["cache-control"]) == (304, "public, max-age=31536000, immutable")


def test_json_is_sent_compressed_and_weights_are_not(server: Server) -> None:
    _, headers, body = server.ask(f"/models/{VERSION}/model.json", **{"Accept-Encoding": "gzip"})
    assert headers["content-encoding"] == "gzip"
    assert headers["vary"] == "Accept-Encoding"
    assert len(body) < 200
    _, headers, _ = server.ask(f"/models/{VERSION}/group1-shard1of2.bin", **{"Accept-Encoding": "gzip"})
    assert "content-encoding" not in headers


def test_a_page_elsewhere_hears_of_what_is_not_there_and_asks_again(server: Server) -> None:
    status, headers, _ = server.ask("/models/v1795365388_20261122/model.json")
    assert status == 404
    assert headers["cache-control"] == "no-store"
    assert headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", [*(f"/models/{path}" for path in KEPT), *DISGUISED])
def test_nothing_else_is_served(server: Server, path: str) -> None:
    status, headers, body = server.ask(path)
    assert status in (400, 404)
    assert SECRET.encode() not in body
    assert "immutable" not in headers.get("cache-control", "")


def test_nothing_can_be_written(server: Server) -> None:
    for method in ("PUT", "POST", "DELETE"):
        assert server.ask(f"/models/{VERSION}/model.json", method)[0] == 405
    assert server.ask(f"/models/{VERSION}/model.json", "HEAD")[0] == 200


def test_the_folders_of_the_configuration_are_those_of_the_compose_file() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    assert "./deploy/nginx.conf:/etc/nginx/nginx.conf:ro" in compose
    assert "models:/srv/models:ro" in compose
    assert "/tmp:" in compose
