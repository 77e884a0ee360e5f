"""The program that starts several containers from one file, and what its projects have in the engine.

Every compose tool marks its containers, networks and volumes with the same label, so what a project has is found,
stopped and removed through the engine alone: also when the file that it was started from has changed or is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from deploylib.errors import DeployError, ToolMissingError
from deploylib.toolchain import engine as engines
from deploylib.toolchain import machine as machines
from deploylib.toolchain import os_image
from deploylib.toolchain.engine_api import EngineRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from deploylib.toolchain.engine import Engine
    from deploylib.toolchain.engine_api import EngineApi
    from deploylib.toolchain.machine import Machine

PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
PACKAGE = "docker-compose"
MISSING = "no compose tool is installed: install Docker's compose plugin, or docker-compose (Debian, Ubuntu: a package)"
STOP_SECONDS = 10
AT_ONCE = 8
_CONTAINERS, _NETWORKS, _VOLUMES = _KINDS = ("/containers/json?all=1&", "/networks?", "/volumes?")

State = Literal["created", "starting", "running", "healthy", "unhealthy", "exited"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container of a project. `exit_code` is that of one that exited; `ports` are those of this machine."""

    id: str
    service: str
    state: State
    exit_code: int = 0
    ports: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """How many of each were removed."""

    containers: int = 0
    networks: int = 0
    volumes: int = 0

    def __str__(self) -> str:
        counts = ((getattr(self, name), name) for name in self.__dataclass_fields__)
        return ", ".join(f"{count} {name if count != 1 else name[:-1]}" for count, name in counts if count) or "nothing"


def find(
    engine: Engine, environ: Mapping[str, str] = os.environ, *, plugins: tuple[str, ...] = engines.PLUGIN_FOLDERS
) -> tuple[str, ...]:
    """Return how the command line of a compose tool begins: Docker's plugin, docker-compose, or podman's.

    Raises `ToolMissingError` where there is none. No process is started to see.
    """
    if Path(engine.program).name == "docker" and _has_plugin(environ, plugins):
        return (engine.program, "compose")
    for name in ("docker-compose", *(("podman-compose",) if engine.name == "podman" else ())):
        if program := shutil.which(name, path=environ.get("PATH")):
            return (program,)
    raise ToolMissingError(MISSING, hint="make setup")


def ensure(
    machine: Machine,
    engine: Engine,
    say: Callable[[str], None],
    *,
    environ: Mapping[str, str] = os.environ,
    plugins: tuple[str, ...] = engines.PLUGIN_FOLDERS,
) -> bool:
    """Install a compose tool where there is none and that is possible; return whether it was done.

    Only the development environment wants it: where it cannot be installed, that is said and setup goes on.
    """
    try:
        find(engine, environ, plugins=plugins)
    except ToolMissingError:
        return _installed(machine, say)
    return False


def suffix(root: Path) -> str:
    """Return how the projects of the checkout at *root* are called at the end, whatever the app."""
    return f"-dev-{os_image.checkout_id(root)}"


def containers(api: EngineApi, project: str) -> tuple[Container, ...]:
    """Return the containers of *project*, running or not, by the name of their service."""
    found = (api.get(f"/containers/{each['Id']}/json") for each in _of_project(api, _CONTAINERS, project))
    return tuple(sorted((_container(each) for each in found if each), key=lambda one: one.service))


def projects(api: EngineApi, suffix: str) -> tuple[str, ...]:
    """Return the projects whose names end with *suffix* and that have anything in the engine."""
    found = (each["Labels"][PROJECT_LABEL] for kind in _KINDS for each in _labelled(api, kind, PROJECT_LABEL))
    return tuple(sorted({name for name in found if name.endswith(suffix)}))


def remove(api: EngineApi, project: str, *, volumes: bool) -> Removed:
    """Stop and remove the containers and networks of *project*, and its volumes when that is asked for."""
    ids = [each["Id"] for each in _of_project(api, _CONTAINERS, project)]
    _at_once(lambda each: _stop(api, each), ids)
    return Removed(
        containers=_deleted(api, (f"/containers/{each}?force=1&v=1" for each in ids)),
        networks=_deleted(api, (f"/networks/{each['Id']}" for each in _of_project(api, _NETWORKS, project))),
        volumes=_deleted(api, (f"/volumes/{quote(each['Name'])}" for each in _of_project(api, _VOLUMES, project)))
        if volumes
        else 0,
    )


def _installed(machine: Machine, say: Callable[[str], None]) -> bool:
    lacking = f"{MISSING}; only the development environment wants it"
    try:
        machines.install((PACKAGE,), machine, say, otherwise=lacking)
    except DeployError as error:
        say(lacking if not machine.can_install else f"{lacking} ({str(error).splitlines()[0]})")
        return False
    return True


def _stop(api: EngineApi, container: str) -> None:
    with contextlib.suppress(EngineRefusedError):  # it is gone already, and what refuses to stop is removed by force
        api.post(f"/containers/{container}/stop?t={STOP_SECONDS}")


def _container(inspected: Mapping[str, Any]) -> Container:
    state, ports = inspected["State"], (inspected.get("NetworkSettings") or {}).get("Ports") or {}
    return Container(
        id=inspected["Id"],
        service=inspected["Config"]["Labels"].get(SERVICE_LABEL, ""),
        state=_state(state["Status"], (state.get("Health") or {}).get("Status", "none")),
        exit_code=int(state.get("ExitCode") or 0),
        ports=frozenset(int(one["HostPort"]) for each in ports.values() for one in each or ()),
    )


def _state(status: str, health: str) -> State:
    if status == "running":
        known: dict[str, State] = {"healthy": "healthy", "unhealthy": "unhealthy", "starting": "starting"}
        return known.get(health, "running")
    return "exited" if status in ("exited", "dead") else "created"


def _of_project(api: EngineApi, kind: str, project: str) -> list[Any]:
    return _labelled(api, kind, f"{PROJECT_LABEL}={project}")


def _labelled(api: EngineApi, kind: str, label: str) -> list[Any]:
    found = api.get(f"{kind}filters={quote(json.dumps({'label': [label]}))}") or []
    return (found.get("Volumes") or []) if isinstance(found, dict) else list(found)


def _deleted(api: EngineApi, paths: Iterable[str]) -> int:
    return sum(_at_once(api.delete, paths))


def _at_once(call: Callable[[str], Any], arguments: Iterable[str]) -> list[Any]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(call, arguments))


def _has_plugin(environ: Mapping[str, str], plugins: tuple[str, ...]) -> bool:
    own = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/")) / ".docker")
    return any((folder / "docker-compose").exists() for folder in (own / "cli-plugins", *map(Path, plugins)))
