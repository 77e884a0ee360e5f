"""A container engine in which containers do what they are told to, in no time: for tests of what runs in them."""

from __future__ import annotations

import itertools
import json
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from deploylib.toolchain.engine import Engine
from tests.toolchain.fake_engine import FakeEngine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_SECONDS = 60
MADE = "2026-01-31T12:00:00.123456789Z"


@dataclass
class Program:
    """What a command does: print *lines* (stderr where one begins with `!`), then end with *code* unless *endless*."""

    lines: tuple[str, ...] = ()
    code: int = 0
    endless: bool = False


@dataclass
class Container:
    document: dict[str, Any]
    program: Program | None
    files: bytes = b""
    started: bool = False
    ended: threading.Event = field(default_factory=threading.Event)
    code: int = 0

    @property
    def running(self) -> bool:
        return self.started and not self.ended.is_set()


class ContainerEngine(FakeEngine):
    """`programs` by command (words joined by blanks; an image's own command is the image's name).

    `checks` are the exit codes of the health checks to come; the last one goes on. `ran` are the commands, in order.
    """

    def __init__(self, socket: Path, *images: str, **options: Any) -> None:
        super().__init__(socket, **options)
        self.program = socket.parent / "docker"
        self.programs: dict[str, Program] = {}
        self.checks: dict[str, list[int]] = {}
        self.health: dict[str, tuple[str, ...]] = {}
        self.entrypoint: tuple[str, ...] = ()
        self.ran: list[str] = []
        self.checked: list[tuple[str, ...]] = []
        self.inside: dict[str, Container] = {}
        self.everything: list[Container] = []
        self.lock = threading.RLock()
        self._numbers = itertools.count(1)
        for image in images:
            self.add_image(image)

    def engine(self) -> Engine:
        return Engine(
            host=self.host, program=str(self.program), name="docker", version="20.10.24", bridge_address="172.17.0.1"
        )

    @property
    def left(self) -> tuple[int, int]:
        """How many containers and networks there are."""
        return len(self.containers), len(self.networks)

    def asked(self, method: str, target: str, sent: bytes) -> tuple[int, Any]:  # noqa: PLR0911  # one for each request
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        with self.lock:
            match [method, *path.strip("/").split("/")]:
                case ["POST", "networks", "create"]:
                    return self._network(json.loads(sent))
                case ["POST", "containers", "create"]:
                    return self._create(query["name"][0], json.loads(sent))
                case ["PUT", "containers", one, "archive"]:
                    self.inside[one].files = sent
                    return 200, {}
                case ["POST", "exec", one, "start"]:
                    return 200, self._frames(("ready?",))
                case ["GET", "exec", one, "json"]:
                    return 200, {"ExitCode": int(one.rpartition("-")[2])}
                case [_, "containers", one, *verb] if verb and one not in self.inside:
                    return 404, {"message": f"No such container: {one}"}
                case [_, "containers", one, verb]:
                    return self._container(self.inside[one], verb, query, sent)
                case ["GET", "images", *name, "json"] if "/".join(name) in self.health:
                    return 200, {"Config": {"Healthcheck": {"Test": list(self.health["/".join(name)])}}}
                case ["DELETE", "networks", name] if self._connected(name):
                    return 403, {"message": "network has active endpoints"}
                case _:
                    return self._rest(method, target)

    def _connected(self, network: str) -> bool:
        return any(one.document["HostConfig"]["NetworkMode"] == network for one in self.inside.values())

    def _rest(self, method: str, target: str) -> tuple[int, Any]:
        answer = self.answer(method, target)
        here = {row["Id"] for row in self.containers}
        for gone in [one for one in self.inside if one not in here]:
            self.inside.pop(gone).ended.set()
        return answer

    def _network(self, document: dict[str, Any]) -> tuple[int, Any]:
        self.networks.append({"Id": document["Name"], "Created": MADE, **document})
        return 201, {"Id": document["Name"]}

    def _create(self, name: str, document: dict[str, Any]) -> tuple[int, Any]:
        if document["Image"] not in self.names():
            return 404, {"message": f"No such image: {document['Image']}"}
        made = f"c{next(self._numbers)}"
        command = " ".join(document.get("Cmd", ())) or document["Image"]
        self.containers.append({"Id": made, "Names": [f"/{name}"], "Labels": document["Labels"], "Created": 0})
        self.inside[made] = Container(document=document, program=self.programs.get(command))
        self.everything.append(self.inside[made])
        return 201, {"Id": made}

    def _container(  # noqa: PLR0911  # one for each verb
        self, one: Container, verb: str, query: dict[str, Any], sent: bytes
    ) -> tuple[int, Any]:
        match verb:
            case "start":
                return self._start(one)
            case "json":
                words: list[str] = [*self.entrypoint, *one.document.get("Cmd", ["its own"])]
                return 200, {
                    "Path": words[0],
                    "Args": words[1:],
                    "State": {"Running": one.running, "ExitCode": one.code},
                }
            case "kill":
                if not one.running:
                    return 409, {"message": "is not running"}
                one.code = 137
                one.ended.set()
                return 204, ""
            case "wait":
                return 200, {"StatusCode": one.code}
            case "exec":
                command = tuple(json.loads(sent)["Cmd"])
                self.checked.append(command)
                codes = self.checks.get(one.document["Image"], [0])
                return 201, {"Id": f"exec-{next(self._numbers)}-{codes.pop(0) if len(codes) > 1 else codes[0]}"}
            case _:
                return 200, self._log(one, follow="follow" in query)

    def _start(self, one: Container) -> tuple[int, Any]:
        if one.program is None:
            return 400, {"message": 'exec: "nonsense": executable file not found in $PATH'}
        self.ran.append(" ".join(one.document.get("Cmd", ())) or one.document["Image"])
        one.started, one.code = True, one.program.code
        if not one.program.endless:
            one.ended.set()
        return 204, ""

    def _log(self, one: Container, *, follow: bool) -> Iterator[bytes]:
        assert one.program
        yield from self._frames(one.program.lines)
        if follow and one.program.endless:
            assert one.ended.wait(PATIENCE_SECONDS)

    def _frames(self, lines: tuple[str, ...]) -> Iterator[bytes]:
        for line in lines:
            stream, text = (2, line[1:]) if line.startswith("!") else (1, line)
            raw = f"{text}\r\n".encode()
            for piece in (raw[:3], raw[3:]):  # a line may come in pieces
                yield struct.pack(">BxxxL", stream, len(piece)) + piece
