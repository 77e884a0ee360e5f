"""The container engine's HTTP interface: a few milliseconds where its command line takes fifty."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from deploylib.errors import ToolMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TIMEOUT_SECONDS = 60.0
NOT_FOUND = 404
CONFLICT = 409
FIRST_FAILURE = 400
FRAME = struct.Struct(">B3xL")  # which stream, how many bytes
JSON = "application/json"


class EngineSilentError(ToolMissingError):
    """Nothing that speaks HTTP answers at the engine's address."""


class EngineForbiddenError(EngineSilentError):
    """There is an engine, but this user may not use it."""


class EngineTimeoutError(ToolMissingError):
    """What was followed had not ended in time."""


class EngineRefusedError(ToolMissingError):
    """The engine answered, and would not do it. `reason` is its own sentence, `status` that of HTTP."""

    def __init__(self, message: str, *, status: int, reason: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


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

    def post(self, path: str, document: Any = None) -> Any:
        """Send *document* to *path* and return the document that comes back, None when there is none."""
        status, _, body = self._request("POST", path, body=_encoded(document))
        self._check(status, path, body)
        return json.loads(body) if body.strip() else None

    def put_archive(self, container: str, archive: bytes) -> None:
        """Unpack *archive* (tar) at the root of *container*, which need not run."""
        path = f"/containers/{container}/archive?path=/"
        status, _, body = self._request("PUT", path, body=archive, content_type="application/x-tar")
        self._check(status, path, body)

    def follow(
        self, method: str, path: str, line: Callable[[str], None], *, document: Any = None, timeout_seconds: float
    ) -> None:
        """Hand each line of the output that *path* streams (both streams, as they come) to *line*, to its end.

        Raises `EngineTimeoutError` when the end does not come within *timeout_seconds*.
        """
        deadline = time.monotonic() + timeout_seconds
        connection = self._connection()
        try:
            connection.request(method, path, body=_encoded(document), headers={"Host": "engine", "Content-Type": JSON})
            sock = connection.sock  # the connection lets go of it when the answer has no length
            sock.settimeout(timeout_seconds)
            answer = connection.getresponse()
            if answer.status >= FIRST_FAILURE:
                self._check(answer.status, path, answer.read())
            for text in _lines(_frames(answer, sock, deadline)):
                line(text)
        except TimeoutError as error:
            raise EngineTimeoutError(f"{path} had not ended after {timeout_seconds:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise self._silence(error) from error
        finally:
            connection.close()

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
            message = f"the container engine at {self.host} refused {path}: {reason}"
            raise EngineRefusedError(message, status=status, reason=_told(reason))

    def _request(
        self, method: str, path: str, *, body: bytes | None = None, content_type: str = JSON
    ) -> tuple[int, dict[str, str], bytes]:
        connection = self._connection()
        try:
            kind = {} if body is None else {"Content-Type": content_type}
            connection.request(method, path, body=body, headers={"Host": "engine", **kind})
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


def _encoded(document: Any) -> bytes | None:
    return None if document is None else json.dumps(document).encode()


def _told(reason: str) -> str:
    """Return the sentence in an error's document."""
    try:
        return str(json.loads(reason)["message"])
    except (ValueError, KeyError, TypeError):
        return reason


def _frames(answer: http.client.HTTPResponse, sock: Any, deadline: float) -> Iterator[tuple[int, bytes]]:
    """Yield the pieces of a multiplexed output (Docker Engine API, "attach to a container", stream format)."""
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if sock.fileno() >= 0:  # closed already when everything has been read
            sock.settimeout(left)
        header = answer.read(FRAME.size)
        if len(header) < FRAME.size:
            return
        stream, size = FRAME.unpack(header)
        yield stream, answer.read(size)


def _lines(frames: Iterator[tuple[int, bytes]]) -> Iterator[str]:
    """Yield whole lines; a line's pieces may come in several frames, between those of the other stream."""
    pending: dict[int, bytes] = {}
    for stream, piece in frames:
        *whole, pending[stream] = (pending.get(stream, b"") + piece).split(b"\n")
        yield from (_text(one) for one in whole)
    yield from (_text(rest) for rest in pending.values() if rest)


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace").rstrip("\r")


def _client_certificate(environ: dict[str, str]) -> ssl.SSLContext:
    folder = Path(environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context
