"""What the launcher needs of an emulator: it answers on its port until SIGTERM."""

from __future__ import annotations

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/_ministack/health" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has there
        """Say nothing."""


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.stdout.write(f"instance {os.environ['LOCALAWS_INSTANCE']}\n")
    sys.stdout.flush()
    HTTPServer(("127.0.0.1", int(os.environ["LOCALAWS_PORT"])), Handler).serve_forever()
