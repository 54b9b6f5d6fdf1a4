"""Serves the demo's page, a published model and sample photos to a browser."""

import json
import mimetypes
import sys
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import AF_INET, SOCK_DGRAM, socket
from threading import Thread
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

from demo.node import ROOT

_PAGE: Final = Path(__file__).resolve().parent / "page"
# Unlike tf.min.js, this build works without eval and is a quarter smaller.
_TFJS: Final = ROOT / "node_modules" / "@tensorflow" / "tfjs" / "dist" / "tf.es2017.min.js"
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)
# mimetypes reads the system's table, which differs between systems.
_TYPES: Final = {
    ".bin": "application/octet-stream",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
}


def serve(
    model_folder: Path, samples: Sequence[tuple[str, Path]], port: int = 0, host: str = "127.0.0.1"
) -> "DemoServer":
    """Start a server in the background; use it in a `with`, or call `stop()`.

    `samples` are pairs of SKU and photo. With the host 0.0.0.0, a phone in the same network can open `url`.
    """
    return DemoServer(model_folder, samples, port, host)


class DemoServer(ThreadingHTTPServer):
    """A server that runs from its construction until `stop()`; `url` is the page's address."""

    def __init__(self, model_folder: Path, samples: Sequence[tuple[str, Path]], port: int, host: str) -> None:
        super().__init__((host, port), partial(_Handler, model_folder.resolve(), tuple(samples)))
        self.url = f"http://{_address_for_others() if host == '0.0.0.0' else host}:{self.server_port}/"
        self._thread = Thread(target=self.serve_forever, args=(0.05,), name="demo-server", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until the server is stopped."""
        self._thread.join()

    def stop(self) -> None:
        """Stop the server and free the port."""
        self.shutdown()
        self.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A browser that disconnects during an answer is not an error of the server.
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def __init__(self, model: Path, samples: tuple[tuple[str, Path], ...], *request: Any) -> None:
        self._model = model
        self._samples = samples
        super().__init__(*request)

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path == "/samples.json":
            listed = [{"url": f"/samples/{n}", "sku": sku} for n, (sku, _) in enumerate(self._samples)]
            self._answer(HTTPStatus.OK, json.dumps(listed).encode(), _TYPES[".json"])
        elif (file := self._file(path)) is not None:
            self._send_file(file)
        else:
            self._not_found(path)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the terminal shows the demo's own output."""

    def _file(self, path: str) -> Path | None:
        if path == "/vendor/tf.min.js":
            return _TFJS
        folder, _, name = path.lstrip("/").rpartition("/")
        match folder:
            case "":
                return _directly_in(_PAGE, name or "index.html")
            case "model":
                return _directly_in(self._model, name)
            case "samples" if name.isdecimal() and int(name) < len(self._samples):
                return self._samples[int(name)][1]
        return None

    def _send_file(self, file: Path) -> None:
        try:
            body = file.read_bytes()
        except OSError as error:
            self._not_found(f"{file.name} ({error.strerror})")
            return
        kind = (
            _TYPES.get(file.suffix.lower())
            or mimetypes.guess_type(file.name)[0]
            or "application/octet-stream"
        )
        self._answer(HTTPStatus.OK, body, kind)

    def _not_found(self, what: str) -> None:
        text = f"There is no {what} here."
        if what.startswith(_TFJS.name):
            text += " Install the JavaScript packages: python -c 'from demo.node import install; install()'"
        self._answer(HTTPStatus.NOT_FOUND, text.encode(), "text/plain; charset=utf-8")

    def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        # The next model and the next version of the page have the same addresses.
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _address_for_others() -> str:
    """This machine's address in its network, for a phone to open; finding it sends nothing."""
    with socket(AF_INET, SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        address: str = probe.getsockname()[0]
        return address


def _directly_in(folder: Path, name: str) -> Path | None:
    """The file `name` directly in `folder`; None for a file elsewhere, also through a link."""
    try:
        file = (folder / name).resolve()
        return file if file.parent == folder and file.is_file() else None
    except (OSError, ValueError):
        return None
