"""The container engine that answers: Docker, or podman through its Docker socket.

`find` is asked on every deploy, so it starts no process: it talks to the engine's socket. Where it looks is what the
`docker` command does (DOCKER_HOST, then the context, then the usual sockets), with one difference: an engine on another
machine is refused unless DEPLOY_ALLOW_REMOTE_ENGINE says that it is meant.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from deploylib.errors import RefusedError, ToolMissingError
from deploylib.toolchain.engine_api import EngineApi, EngineForbiddenError, EngineSilentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ALLOW_REMOTE = "DEPLOY_ALLOW_REMOTE_ENGINE"
DOCKER_SOCKET = "/var/run/docker.sock"
PODMAN_SOCKET = "/run/podman/podman.sock"
PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)


class ClientMissingError(ToolMissingError):
    """An engine answers, but the program that builds and pushes with it is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A container engine that answered.

    `host` is what DOCKER_HOST takes, `program` the command line that speaks to it, `bridge_address` the address at
    which containers reach this machine.
    """

    host: str
    program: str
    name: Literal["docker", "podman"]
    version: str
    bridge_address: str

    @property
    def api(self) -> EngineApi:
        """The engine's HTTP interface."""
        return EngineApi(host=self.host)

    @property
    def environ(self) -> dict[str, str]:
        """What a child process needs in its environment to speak to this engine and no other."""
        return {"DOCKER_HOST": self.host}


def find(environ: Mapping[str, str] = os.environ, *, sockets: tuple[str, ...] | None = None) -> Engine:
    """Return the engine that answers. Raises `ToolMissingError` when none does, `RefusedError` when it is remote."""
    hosts = configured_hosts(environ) or tuple(f"unix://{path}" for path in sockets or usual_sockets(environ))
    forbidden: EngineForbiddenError | None = None
    for host in hosts:
        refuse_remote(host, environ)
        api = EngineApi(host=host)
        try:
            return _describe(api, api.ping(), environ)
        except EngineForbiddenError as error:
            forbidden = error
        except EngineSilentError:
            continue
    if forbidden:
        raise forbidden
    raise ToolMissingError(f"no container engine answers at {' or '.join(hosts)}", hint="make setup")


def configured_hosts(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the one address that DOCKER_HOST or the Docker context names, or nothing."""
    host = environ.get("DOCKER_HOST") or _context_host(environ)
    return (host,) if host else ()


def usual_sockets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the sockets where an engine on this machine listens, Docker's before podman's."""
    runtime = environ.get("XDG_RUNTIME_DIR")
    return (
        DOCKER_SOCKET,
        *((f"{runtime}/docker.sock",) if runtime else ()),
        PODMAN_SOCKET,
        *((f"{runtime}/podman/podman.sock",) if runtime else ()),
    )


def refuse_remote(host: str, environ: Mapping[str, str]) -> None:
    """Raise unless *host* is a socket of this machine or the user said that another machine is meant."""
    scheme = urlsplit(host).scheme
    if scheme == "unix":
        return
    if scheme != "tcp":
        raise RefusedError(
            f"the container engine {host} cannot be used: only unix:// and tcp:// addresses are understood",
            hint="unset DOCKER_HOST, or choose a local context: docker context use default",
        )
    if environ.get(ALLOW_REMOTE) not in ("1", "true", "yes"):
        raise RefusedError(
            f"the container engine {host} may be on another machine",
            hint=f"unset DOCKER_HOST (docker context use default), or set {ALLOW_REMOTE}=1 if it is meant",
        )


def client(
    environ: Mapping[str, str],
    name: Literal["docker", "podman"],
    *,
    packaged: str = "/usr/bin/docker",
    plugins: tuple[str, ...] = PLUGIN_FOLDERS,
) -> str:
    """Return the command line for an engine: `docker`, or podman's own for a podman without it.

    A Docker client of version 23 or later cannot use BuildKit without the plugin buildx. Where several clients are
    installed and the plugin is not, the distribution's own, *packaged*, is the one that fits its engine.
    """
    clients = tuple(_programs("docker", environ))
    if len(clients) > 1 and not has_buildx(environ, plugins):
        clients = tuple(sorted(clients, key=lambda path: Path(path).resolve() != Path(packaged).resolve()))
    if name == "podman" and not clients:
        clients = tuple(_programs("podman", environ))
    if not clients:
        raise ClientMissingError(
            f"the container engine answers, but its command line `{name}` is not installed", hint="make setup"
        )
    return clients[0]


def has_buildx(environ: Mapping[str, str] = os.environ, plugins: tuple[str, ...] = PLUGIN_FOLDERS) -> bool:
    """Return whether the Docker client has the plugin that newer versions need for BuildKit."""
    folders = (_config_folder(environ) / "cli-plugins", *map(Path, plugins))
    return any((folder / "docker-buildx").exists() for folder in folders)


def _describe(api: EngineApi, headers: Mapping[str, str], environ: Mapping[str, str]) -> Engine:
    name: Literal["docker", "podman"] = "podman" if "libpod-api-version" in headers else "docker"
    return Engine(
        host=api.host,
        program=client(environ, name),
        name=name,
        version=str(api.get("/version")["Version"]),
        bridge_address=_bridge_address(api),
    )


def _bridge_address(api: EngineApi) -> str:
    """Return the gateway of the default network; an engine that chose it itself names only the subnet."""
    network = api.get("/networks/bridge") or api.get("/networks/podman") or {}
    for config in (network.get("IPAM") or {}).get("Config") or ():
        if gateway := config.get("Gateway"):
            return str(gateway)
        if subnet := config.get("Subnet"):
            return str(next(ipaddress.ip_network(subnet).hosts()))
    raise ToolMissingError(
        f"the container engine at {api.host} has no default bridge network",
        hint="start it without `--bridge none`",
    )


def _context_host(environ: Mapping[str, str]) -> str:
    config = _config_folder(environ)
    name = environ.get("DOCKER_CONTEXT") or _json(config / "config.json").get("currentContext") or "default"
    if name == "default":
        return ""
    meta = config / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    host = _json(meta).get("Endpoints", {}).get("docker", {}).get("Host")
    if not host:
        raise ToolMissingError(f"the Docker context {name!r} does not exist", hint="docker context use default")
    return str(host)


def _config_folder(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/")) / ".docker")


def _json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _programs(name: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield each different *name* on PATH, first come first."""
    seen: set[Path] = set()
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        path = Path(folder or ".") / name
        if path.is_file() and os.access(path, os.X_OK) and path.resolve() not in seen:
            seen.add(path.resolve())
            yield str(path)
