"""The container engine's HTTP interface: a few milliseconds where its command line takes fifty."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploylib.errors import ToolMissingError

TIMEOUT_SECONDS = 60.0
NOT_FOUND = 404
CONFLICT = 409
FIRST_FAILURE = 400


class EngineSilentError(ToolMissingError):
    """Nothing that speaks HTTP answers at the engine's address."""


class EngineForbiddenError(EngineSilentError):
    """There is an engine, but this user may not use it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineApi:
    """Requests to the engine at *host*, `unix:///…` or `tcp://…`."""

    host: str
    timeout_seconds: float = TIMEOUT_SECONDS
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def ping(self) -> dict[str, str]:
        """Return the headers of the engine's sign of life."""
        status, headers, body = self._request("GET", "/_ping")
        self._check(status, "/_ping", body)
        return headers

    def answers(self) -> bool:
        """Return whether an engine answers that this user may use."""
        try:
            self.ping()
        except ToolMissingError:
            return False
        return True

    def get(self, path: str) -> Any:
        """Return the JSON document at *path*, None when there is none."""
        status, _, body = self._request("GET", path)
        if status == NOT_FOUND:
            return None
        self._check(status, path, body)
        return json.loads(body)

    def delete(self, path: str) -> bool:
        """Delete what *path* names; return False when it was gone or is being removed already."""
        status, _, body = self._request("DELETE", path)
        if status in (NOT_FOUND, CONFLICT):
            return False
        self._check(status, path, body)
        return True

    def _check(self, status: int, path: str, body: bytes) -> None:
        if status >= FIRST_FAILURE:
            reason = body.decode(errors="replace").strip()
            raise ToolMissingError(f"the container engine at {self.host} refused {path}: {reason}")

    def _request(self, method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        connection = self._connection()
        try:
            connection.request(method, path, headers={"Host": "engine"})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._silence(error) from error
        finally:
            connection.close()

    def _silence(self, error: Exception) -> EngineSilentError:
        # A socket that is not even visible, such as root's podman, is none that this user could use.
        if isinstance(error, PermissionError) and os.path.exists(urlsplit(self.host).path):  # noqa: PTH110 - Path raises
            return EngineForbiddenError(
                f"this user may not use the container engine at {self.host}",
                hint="join the group that owns its socket (Docker: sudo usermod -aG docker $USER), then log in again",
            )
        return EngineSilentError(f"the container engine at {self.host} does not answer: {error}", hint="make setup")

    def _connection(self) -> http.client.HTTPConnection:
        address = urlsplit(self.host)
        if address.scheme == "unix":
            return _UnixConnection(address.path, self.timeout_seconds)
        where = (address.hostname or "localhost", address.port or 2375)
        if self.environ.get("DOCKER_TLS_VERIFY"):
            return http.client.HTTPSConnection(
                *where, timeout=self.timeout_seconds, context=_client_certificate(self.environ)
            )
        return http.client.HTTPConnection(*where, timeout=self.timeout_seconds)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_seconds: float) -> None:
        super().__init__("engine", timeout=timeout_seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _client_certificate(environ: dict[str, str]) -> ssl.SSLContext:
    folder = Path(environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context
