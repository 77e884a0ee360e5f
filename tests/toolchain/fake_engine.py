"""A container engine's HTTP interface on a unix socket, as far as the toolchain speaks it.

Run as a program, `fake_engine.py SOCKET [PID_FILE]`, it is a dockerd for tests.
"""

from __future__ import annotations

import contextlib
import json
import re
import socketserver
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

BRIDGE = {"IPAM": {"Config": [{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}]}}


class FakeEngine:
    """What is in the engine; `deleted` are the paths of DELETE requests that were granted."""

    def __init__(self, socket: Path, *, podman: bool = False, bridge: dict[str, Any] | None = None) -> None:
        self.socket = socket
        self.podman = podman
        self.bridge = BRIDGE if bridge is None else bridge
        self.containers: list[dict[str, Any]] = []
        self.networks: list[dict[str, Any]] = []
        self.volumes: list[dict[str, Any]] = []
        self.images: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self.stopped: list[str] = []
        self.version, self.architecture, self.store = "20.10.24", "amd64", "overlay2"
        self._server: socketserver.ThreadingUnixStreamServer | None = None

    @property
    def host(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Answer from now on; harmless when it does."""
        if self._server:
            return
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        self._server = _Server(str(self.socket), _Handler)
        self._server.engine = self  # type: ignore[attr-defined]  # the handler's way to us
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self.socket.unlink()
            self._server = None

    def add_image(self, *names: str, labels: dict[str, str] | None = None) -> None:
        tags = [name for name in names if "@" not in name]
        digests = [name for name in names if "@" in name]
        self.images.append(
            {
                "Id": f"sha256:{len(self.images)}",
                "Created": len(self.images),
                "RepoTags": tags,
                "RepoDigests": digests,
                "Labels": labels or {},
            }
        )

    def add_container(
        self, name: str, labels: dict[str, str] | None = None, *, state: dict[str, Any] | None = None, port: int = 0
    ) -> None:
        ports = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}] if port else None}
        inspected = {"State": state or {"Status": "running"}, "NetworkSettings": {"Ports": ports}}
        self.containers.append({"Id": f"id-{name}", "Names": [f"/{name}"], "Labels": labels or {}, **inspected})

    def names(self) -> set[str]:
        """Return every name that an image has."""
        return {name for image in self.images for name in (*image["RepoTags"], *image["RepoDigests"])}

    def asked(self, method: str, target: str, sent: bytes) -> tuple[int, Any]:
        """Answer a request with a body: a document, or an iterator of bytes to stream."""
        return self.answer(method, target)

    def answer(self, method: str, target: str) -> tuple[int, Any]:
        path, query = unquote(urlsplit(target).path), parse_qs(urlsplit(target).query)
        if method != "GET":
            return self._delete(path) if method == "DELETE" else self._stop(path)
        if path in (about := self._about()):
            return 200, about[path]
        if path in ("/networks/bridge", "/networks/podman"):
            return (200, self.bridge) if path.endswith("podman") == self.podman else (404, {})
        if image := re.fullmatch("/images/(.+)/json", path):
            found = next((i for i in self.images if image[1] in (*i["RepoTags"], *i["RepoDigests"])), None)
            return (200, {"Config": {"Labels": found["Labels"] or None}}) if found else (404, {})
        if container := re.fullmatch("/containers/(.+)/json", path):
            found = next((c for c in self.containers if container[1] == c["Id"]), None)
            return (200, {**found, "Config": {"Labels": found["Labels"]}}) if found else (404, {})
        listed = {"/containers/json": "containers", "/networks": "networks", "/volumes": "volumes"}
        rows = self.images if path == "/images/json" else getattr(self, listed[path])
        rows = [row for row in rows if _matches(row["Labels"], query)]
        return 200, {"Volumes": rows or None} if path == "/volumes" else rows

    def _stop(self, path: str) -> tuple[int, Any]:
        name = path.removeprefix("/containers/").removesuffix("/stop")
        found = next((c for c in self.containers if c["Id"] == name), None)
        if not path.endswith("/stop") or found is None:
            return 404, {"message": "no such container"}
        found["State"] = {"Status": "exited", "ExitCode": 0}
        self.stopped.append(name)
        return 204, {}

    def _about(self) -> dict[str, Any]:
        """Return what it says of itself."""
        version = "4.3.1" if self.podman else self.version
        return {
            "/_ping": "OK",
            "/version": {"Version": version, "Os": "linux", "Arch": self.architecture},
            "/info": {"DriverStatus": [["driver-type", self.store]], "DockerRootDir": str(self.socket.parent)},
        }

    def _delete(self, path: str) -> tuple[int, Any]:
        kind, _, name = path.lstrip("/").partition("/")
        if kind == "images":
            image = next((i for i in self.images if name in (i["Id"], *i["RepoTags"], *i["RepoDigests"])), None)
            if image is None:
                return 404, {}
            for names in (image["RepoTags"], image["RepoDigests"]):
                if name in names:
                    names.remove(name)
            if not image["RepoTags"] and not image["RepoDigests"]:
                self.images.remove(image)
        else:
            rows: list[dict[str, Any]] = getattr(self, kind)
            row = next((row for row in rows if name in (row.get("Id"), row.get("Name"))), None)
            if row is None:
                return 404, {}
            rows.remove(row)
        self.deleted.append(path)
        return 200, {}


def _matches(labels: dict[str, str], query: dict[str, list[str]]) -> bool:
    wanted = json.loads(query.get("filters", ["{}"])[0]).get("label", [])
    return all(labels.get(key) == value if equals else key in labels for key, equals, value in map(_split, wanted))


def _split(label: str) -> tuple[str, str, str]:
    return label.partition("=")


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_DELETE(self) -> None:
        self._serve("DELETE")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def _serve(self, method: str) -> None:
        engine: FakeEngine = self.server.engine  # type: ignore[attr-defined]  # put there by start()
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, document = engine.asked(method, self.path, sent)
        if isinstance(document, Iterator):
            self._stream(status, document)
            return
        body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
        self.send_response(status)
        if engine.podman:
            self.send_header("Libpod-API-Version", "4.3.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):  # whoever wants no body does not wait for it
            self.wfile.write(body)

    def _stream(self, status: int, pieces: Iterator[bytes]) -> None:
        """Answer as the engine streams an output: without a length, to the end of the connection."""
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.docker.raw-stream")
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # nobody listens any more
            for piece in pieces:
                self.wfile.write(piece)
                self.wfile.flush()

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has there
        """Say nothing."""


if __name__ == "__main__":
    FakeEngine(Path(sys.argv[1])).start()
    threading.Event().wait()
