"""Serves one file on localhost, whole or slowly, and counts who asks for it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """What is served: `content`, a byte at a time where `slowly`; `asked` counts the requests."""

    url: str
    content: bytes
    slowly: bool = False
    asked: int = 0


@contextmanager
def serving(content: bytes) -> Iterator[Served]:
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked += 1
            if self.path != "/weights":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(served.content)))
            self.end_headers()
            if not served.slowly:
                self.wfile.write(served.content)
            for number in range(len(served.content) if served.slowly else 0):
                if ended.is_set():
                    return
                self.wfile.write(served.content[number : number + 1])
                time.sleep(0.1)

        def log_message(self, format: str, *args: object) -> None:
            """Tests need no log of it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = Served(f"http://127.0.0.1:{server.server_port}/weights", content)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield served
        finally:
            ended.set()
            server.shutdown()
            thread.join()
