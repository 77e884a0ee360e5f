"""Bring a container engine to life: start the installed one, install one, stop what was started here."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploylib import process
from deploylib.errors import ToolMissingError
from deploylib.toolchain import engine as engines
from deploylib.toolchain import machine as machines
from deploylib.toolchain import recorded_process
from deploylib.toolchain.engine import ClientMissingError
from deploylib.toolchain.engine_api import EngineApi, EngineForbiddenError
from deploylib.toolchain.recorded_process import RecordedProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploylib.clock import Clock
    from deploylib.toolchain.engine import Engine
    from deploylib.toolchain.machine import Machine

START_SECONDS = 30
STOP_SECONDS = 15
POLL_SECONDS = 0.05
RECORD = Path(".cache") / "engine" / "started.json"
LOG = Path(".cache") / "engine" / "engine.log"


def ensure(
    root: Path,
    machine: Machine,
    say: Callable[[str], None],
    *,
    environ: Mapping[str, str] = os.environ,
    clock: Clock = time,
) -> Engine:
    """Return the engine that answers; start or install one when none does and that is possible here."""
    try:
        return answering(machine, environ=environ)
    except EngineForbiddenError:
        raise
    except ClientMissingError:
        _install(machine, say)
        return answering(machine, environ=environ)
    except ToolMissingError as error:
        if (chosen := engines.configured_hosts(environ)) and chosen != (f"unix://{machine.docker_socket}",):
            raise ToolMissingError(
                f"the container engine at {chosen[0]} does not answer",
                hint="start it, or unset DOCKER_HOST and choose the default context: docker context use default",
            ) from error
    if not _installed(environ):
        _install(machine, say)
    _start(root, machine, say, environ, clock)
    return answering(machine, environ=environ)


def answering(machine: Machine, *, environ: Mapping[str, str] = os.environ) -> Engine:
    """Return the engine that answers on *machine*; raise `ToolMissingError` when none does."""
    return engines.find(environ, sockets=_sockets(machine, environ))


def stop_ours(root: Path, say: Callable[[str], None], *, clock: Clock = time) -> bool:
    """Stop the engine that setup started from this checkout, unless containers that are not ours run on it."""
    record = _read(root)
    if record is None or not recorded_process.is_alive(record):
        return False
    if running := _running_containers(root):
        say(f"the container engine keeps running: {len(running)} containers are not ours ({', '.join(running[:3])})")
        return False
    say("stopping the container engine that setup started")
    return recorded_process.stop(record, patience_seconds=STOP_SECONDS, clock=clock)


def _running_containers(root: Path) -> tuple[str, ...]:
    api = EngineApi(host=json.loads((root / RECORD).read_text(encoding="utf-8"))["host"])
    return tuple(container["Names"][0].lstrip("/") for container in api.get("/containers/json") or ())


def _sockets(machine: Machine, environ: Mapping[str, str]) -> tuple[str, ...]:
    usual = engines.usual_sockets(environ)
    ours = {engines.DOCKER_SOCKET: str(machine.docker_socket), engines.PODMAN_SOCKET: str(machine.podman_socket)}
    return tuple(ours.get(path, path) for path in usual)


def _installed(environ: Mapping[str, str]) -> bool:
    return any(shutil.which(name, path=environ.get("PATH")) for name in ("dockerd", "podman"))


def _install(machine: Machine, say: Callable[[str], None]) -> None:
    sentence = (
        "no container engine is installed: install Docker Desktop and start it"
        if machine.system == "darwin"
        else "no container engine is installed: install Docker (Debian, Ubuntu: the package docker.io) or podman"
    )
    # From Debian 13 on, the command line and its BuildKit plugin are packages of their own.
    apart = ("docker-cli", "docker-buildx")
    machines.install(("docker.io", "ca-certificates"), machine, say, otherwise=sentence, if_offered=apart)


def _start(root: Path, machine: Machine, say: Callable[[str], None], environ: Mapping[str, str], clock: Clock) -> None:
    has_docker = shutil.which("dockerd", path=environ.get("PATH")) is not None
    name, unit = ("dockerd", "docker") if has_docker else ("podman", "podman.socket")
    if not machine.is_root:
        raise ToolMissingError(
            f"{name} is installed but does not run, and only root may start it", hint=f"sudo systemctl start {unit}"
        )
    say(f"starting {name}")
    api = EngineApi(host=f"unix://{machine.docker_socket if has_docker else machine.podman_socket}")
    if machine.has_systemd:
        process.run(("systemctl", "start", unit), timeout_seconds=START_SECONDS)
        _await(api, None, root / LOG, clock, what=name)
    elif has_docker and (running := _docker_daemons(machine)):
        # A second dockerd beside a running one would delete the bridge of the first.
        _await(api, None, root / LOG, clock, what=f"dockerd runs (process {running[0]}) but")
    else:
        _start_detached(root, machine, api, environ, clock)


def _start_detached(root: Path, machine: Machine, api: EngineApi, environ: Mapping[str, str], clock: Clock) -> None:
    is_docker = api.host.endswith(str(machine.docker_socket))
    argv = ("dockerd",) if is_docker else ("podman", "system", "service", "--time=0", api.host)
    # A pid file left by a dockerd that is gone keeps the next one from starting.
    machine.docker_pid_file.unlink(missing_ok=True)
    Path(api.host.removeprefix("unix://")).parent.mkdir(parents=True, exist_ok=True)
    program = recorded_process.start_detached(argv, log=root / LOG, env=environ)
    _write(root, program, api.host)
    _await(api, program, root / LOG, clock, what=argv[0])


def _await(api: EngineApi, program: RecordedProcess | None, log: Path, clock: Clock, *, what: str) -> None:
    deadline = clock.monotonic() + START_SECONDS
    while not api.answers():
        if program is not None and not recorded_process.is_alive(program):
            raise ToolMissingError(f"{what} ended at once:\n{_tail(log)}", hint=f"less {log}")
        if clock.monotonic() >= deadline:
            raise ToolMissingError(f"{what} does not answer at {api.host} within {START_SECONDS} s", hint=f"less {log}")
        clock.sleep(POLL_SECONDS)


def _docker_daemons(machine: Machine) -> tuple[int, ...]:
    names = ((path.parent.name, path) for path in machine.processes.glob("[0-9]*/comm"))
    return tuple(int(pid) for pid, path in names if _content(path).strip() == "dockerd")


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _tail(log: Path, lines: int = 5) -> str:
    return "\n".join(_content(log).splitlines()[-lines:])


def _write(root: Path, record: RecordedProcess, host: str) -> None:
    path = root / RECORD
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**asdict(record), "host": host}), encoding="utf-8")


def _read(root: Path) -> RecordedProcess | None:
    try:
        document: dict[str, Any] = json.loads((root / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return RecordedProcess(pid=document["pid"], started=document["started"])
