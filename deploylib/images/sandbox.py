"""Throw-away containers on a private network: found by their labels, removed whatever happens.

The network has no way out, and nobody outside is let in: no port is published. Whatever is made carries the labels of
its run and of the process that made it. So a run that was killed (SIGKILL, power) leaves nothing for ever: the next one
removes what belongs to processes that are gone, and nothing of those that live.

A process is told from a later one of the same number by its start. Where it cannot be looked for (another machine on
the same engine, or a container with process numbers of its own), a day has to pass.
"""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from deploylib.errors import ImageError
from deploylib.toolchain.engine_api import CONFLICT, NOT_FOUND, EngineRefusedError
from deploylib.toolchain.os_image import CHECKOUT_LABEL
from deploylib.toolchain.recorded_process import Owner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from deploylib.toolchain.engine_api import EngineApi

LABEL_APP = "deploylib.test.app"
LABEL_RUN = "deploylib.test.run"
LABEL_OWNER = "deploylib.test.owner"
AT_ONCE = 8
ROUNDS = 5
LAST_LINES = 20
ANSWER_SECONDS = 30.0
FORBIDDEN = 403


class SandboxClosedError(ImageError):
    """What is in the sandbox is being removed, or somebody has removed it."""

    def __init__(self) -> None:
        super().__init__("the containers of the test were removed while it ran")


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container to start. Without `command` it runs the image's own; `files` is unpacked at its root (tar)."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    in_memory: tuple[str, ...] = ()
    files: bytes = b""


@dataclass(slots=True, kw_only=True)
class Sandbox:
    """One private network, and the containers in it; `name` begins the names of both."""

    api: EngineApi
    name: str
    labels: Mapping[str, str]
    _network: str = ""
    _closed: bool = False
    _making: threading.Lock = field(default_factory=threading.Lock)
    _removing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def closed(self) -> bool:
        """Whether it is being removed."""
        return self._closed

    def create(self, wanted: Container) -> str:
        """Make a container that other ones here reach by its name; return its id."""
        with self._making:  # so that nothing comes into being behind the back of `remove`
            if self._closed:
                raise SandboxClosedError
            self._network = self._network or self._made_network()
            made = self._made(wanted)
        if wanted.files:
            self.api.put_archive(made, wanted.files)
        return made

    def start(self, container: str) -> None:
        """Start *container*; raise `ImageError` when its command cannot be run."""
        self._asked(f"/containers/{container}/start")

    def follow(self, container: str, line: Callable[[str], None], *, timeout_seconds: float) -> int:
        """Hand each line that *container* prints to *line*, and return its exit code.

        Raises `EngineTimeoutError` when it does not end in time; it is killed then.
        """
        path = f"/containers/{container}/logs?follow=1&stdout=1&stderr=1"
        try:
            self.api.follow("GET", path, line, timeout_seconds=timeout_seconds)
        except BaseException:
            self._kill(container)
            raise
        try:
            return int(self.api.post(f"/containers/{container}/wait")["StatusCode"])
        except EngineRefusedError as error:
            if error.status != NOT_FOUND:
                raise
            raise SandboxClosedError from error

    def execute(self, container: str, command: tuple[str, ...]) -> tuple[int, str]:
        """Run *command* in *container*; return its exit code and what it printed."""
        wanted = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True}
        name = self.api.post(f"/containers/{container}/exec", wanted)["Id"]
        said: list[str] = []
        start = {"Detach": False, "Tty": False}
        self.api.follow("POST", f"/exec/{name}/start", said.append, document=start, timeout_seconds=ANSWER_SECONDS)
        return int(self.api.get(f"/exec/{name}/json")["ExitCode"]), "\n".join(said)

    def state(self, container: str) -> Mapping[str, Any]:
        """Return the state of *container* as the engine tells it."""
        state: Mapping[str, Any] = self._described(container)["State"]
        return state

    def command_of(self, container: str) -> tuple[str, ...]:
        """Return what *container* runs: the image's entry point with the command behind it."""
        found = self._described(container)
        return (found["Path"], *found["Args"])

    def last_lines(self, container: str, count: int = LAST_LINES) -> tuple[str, ...]:
        """Return the last lines that *container* printed; none when it is gone."""
        said: list[str] = []
        path = f"/containers/{container}/logs?stdout=1&stderr=1&tail={count}"
        try:
            self.api.follow("GET", path, said.append, timeout_seconds=ANSWER_SECONDS)
        except EngineRefusedError:
            return ()
        return tuple(said[-count:])

    def remove(self) -> None:
        """Remove everything in it, and let nothing new come in. Harmless when it was done already."""
        with self._making:
            self._closed = True
        with self._removing:  # whoever comes second waits, and finds nothing
            remove_run(self.api, self.labels[LABEL_RUN])

    def _described(self, container: str) -> Any:
        found = self.api.get(f"/containers/{container}/json")
        if found is None:
            raise SandboxClosedError
        return found

    def _kill(self, container: str) -> None:
        try:
            self.api.post(f"/containers/{container}/kill")
        except EngineRefusedError as error:
            if error.status not in (NOT_FOUND, CONFLICT):  # gone, or it has ended
                raise

    def _made(self, wanted: Container) -> str:
        path = f"/containers/create?name={quote(f'{self.name}-{wanted.name}')}"
        return str(self._asked(path, self._document(wanted))["Id"])

    def _asked(self, path: str, document: Any = None) -> Any:
        """Return the engine's answer; its refusal is what went wrong with the image's test."""
        try:
            return self.api.post(path, document)
        except EngineRefusedError as error:
            raise ImageError(error.reason) from error

    def _made_network(self) -> str:
        wanted = {"Name": self.name, "Driver": "bridge", "Internal": True, "Labels": dict(self.labels)}
        self._asked("/networks/create", wanted)
        return self.name

    def _document(self, wanted: Container) -> dict[str, Any]:
        return {
            "Image": wanted.image,
            "Env": [f"{name}={value}" for name, value in wanted.environment.items()],
            "Labels": dict(self.labels),
            "Healthcheck": {"Test": ["NONE"]},  # whoever wants to know asks; an engine's own interval is 30 s
            "HostConfig": {
                "NetworkMode": self._network,
                "Tmpfs": dict.fromkeys(wanted.in_memory, ""),
                "LogConfig": {"Type": "json-file"},  # not every driver can be read again
            },
            "NetworkingConfig": {"EndpointsConfig": {self._network: {"Aliases": [wanted.name]}}},
            **({"Cmd": list(wanted.command)} if wanted.command else {}),
        }


def labels(app: str, run: str, owner: Owner, *, checkout: str = "") -> dict[str, str]:
    """Return what everything that *run* makes carries; application and *checkout* are for people."""
    return {LABEL_APP: app, LABEL_RUN: run, LABEL_OWNER: str(owner), CHECKOUT_LABEL: checkout}


def remove_leftovers(api: EngineApi, *, now: Callable[[], float] = time.time) -> int:
    """Remove what processes left that are gone; return of how many runs."""
    dead = set()
    for kind in ("/containers/json?all=1&", "/networks?"):
        for each in _labelled(api, kind, LABEL_RUN):
            owner = Owner.read(each["Labels"].get(LABEL_OWNER, ""))
            if owner and owner.gone(age_seconds=now() - _made_at(each)):
                dead.add(each["Labels"][LABEL_RUN])
    for run in dead:
        remove_run(api, run)
    return len(dead)


def remove_run(api: EngineApi, run: str) -> None:
    """Remove the containers of *run* with their volumes, and its networks."""
    label = f"{LABEL_RUN}={run}"
    for _ in range(ROUNDS):  # the engine may be busy with one
        containers = [
            f"/containers/{each['Id']}?force=1&v=1" for each in _labelled(api, "/containers/json?all=1&", label)
        ]
        _delete(api, containers)
        networks = [f"/networks/{each['Id']}" for each in _labelled(api, "/networks?", label)]
        _delete(api, networks)
        if not containers and not networks:
            return


def _delete(api: EngineApi, paths: Iterable[str]) -> None:
    def delete(path: str) -> None:
        try:
            api.delete(path)
        except EngineRefusedError as error:
            if error.status != FORBIDDEN:  # a network is refused as long as a container in it is being removed
                raise

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(delete, paths))


def _labelled(api: EngineApi, kind: str, label: str) -> list[Any]:
    return list(api.get(f"{kind}filters={quote(json.dumps({'label': [label]}))}") or [])


def _made_at(each: Mapping[str, Any]) -> float:
    """Return when a container (seconds) or a network (RFC 3339) was made, in seconds since 1970."""
    made = each["Created"]
    return float(made) if isinstance(made, int | float) else dt.datetime.fromisoformat(made).timestamp()
