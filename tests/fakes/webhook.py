"""A webhook: a real HTTP server on this machine that keeps what it is sent."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "s3cret-t0ken"


class Webhook(http.server.ThreadingHTTPServer):
    """Where releases are told; it answers *status*. `got` has each document, with `by` of who sent it."""

    def __init__(self, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), _Sent)
        self.status = status
        self.got: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server_port}/{SECRET}"


class _Sent(http.server.BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        got = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.append({**got, "by": self.headers["User-Agent"]})
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def served() -> Iterator[Webhook]:
    """Serve it from a thread of its own, to the end of the block."""
    with Webhook() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
