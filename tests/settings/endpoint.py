"""Parameter Store and STS as a server on this machine: the fake account, spoken to over the wire by real clients."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import botocore

from deploylib.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.account import FakeAccount

STS = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:sts::{0}:assumed-role/deploy/someone</Arn><UserId>A:someone</UserId><Account>{0}</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""


@contextlib.contextmanager
def served(fake: FakeAccount) -> Iterator[str]:
    """Serve *fake*; yield the URL."""

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            target = self.headers.get("X-Amz-Target", "").removeprefix("AmazonSSM.")
            if target:
                self._answer(*_ssm(fake, target, json.loads(body)))
            else:
                self._answer(200, STS.format(fake.account_id))

        def _answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Endpoint) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _ssm(fake: FakeAccount, operation: str, request: dict[str, Any]) -> tuple[int, str]:
    try:
        answer = getattr(fake.ssm, botocore.xform_name(operation))(**request)
    except AwsError as error:
        return 400, json.dumps({"__type": error.code, "message": str(error)})
    return 200, json.dumps(answer, default=lambda time: time.timestamp() if isinstance(time, dt.datetime) else None)
