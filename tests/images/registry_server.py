"""A registry of a few manifests on this machine, which asks for log-ins as real ones do."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass
class RegistryServer:
    """Documents by path, tags by `repository:tag`. *wants*: nothing, `basic` or `bearer`."""

    wants: str = ""
    user: str = "ada"
    password: str = "lovelace"
    tells_digest: bool = True
    status: int = 0
    documents: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    scopes: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def do_HEAD(self) -> None:
                outer.answer(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its own name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def has(self, repository: str, document: Mapping[str, Any], tag: str = "", *, kind: str = "manifests") -> str:
        """Have *document*; return its digest."""
        body = json.dumps(document).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        for name in filter(None, (digest, tag)):
            self.documents[f"/v2/{repository}/{kind}/{name}"] = body
        return digest

    def image(self, repository: str, labels: Mapping[str, str], tag: str = "") -> str:
        """Have an image with *labels*; return its digest."""
        blob = self.has(repository, {"config": {"Labels": dict(labels)}}, kind="blobs")
        return self.has(repository, {"schemaVersion": 2, "config": {"digest": blob}}, tag)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = urlsplit(request.path)
        authorization = request.headers.get("Authorization", "")
        self.asked.append((request.command, path.path))
        if path.path == "/token":
            self._token(request, authorization, parse_qs(path.query)["scope"][0])
        elif self.status:
            self._send(request, self.status, {"errors": [{"code": "SAD", "message": "not today"}]})
        elif self.wants and authorization != self._expected:
            challenge = {
                "basic": 'Basic realm="x"',
                "bearer": f'Bearer realm="http://{self.host}/token",service="x",scope="repository:shop:pull"',
            }[self.wants]
            self._send(request, 401, {}, {"WWW-Authenticate": challenge})
        elif body := self.documents.get(path.path):
            digest = {"Docker-Content-Digest": f"sha256:{hashlib.sha256(body).hexdigest()}"}
            self._write(request, 200, body, digest if self.tells_digest else {})
        else:
            self._send(request, 404, {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]})

    @property
    def _basic(self) -> str:
        return f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"

    @property
    def _expected(self) -> str:
        return self._basic if self.wants == "basic" else "Bearer let-me-in"

    def _token(self, request: BaseHTTPRequestHandler, authorization: str, scope: str) -> None:
        self.scopes.append(scope)
        if self.password and authorization != self._basic:
            self._send(request, 401, {})
        else:
            self._send(request, 200, {"token": "let-me-in"})

    def _send(
        self, request: BaseHTTPRequestHandler, status: int, document: object, headers: Mapping[str, str] | None = None
    ) -> None:
        self._write(request, status, json.dumps(document).encode(), headers or {})

    @staticmethod
    def _write(request: BaseHTTPRequestHandler, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)
