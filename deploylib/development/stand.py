"""The development environment of this checkout on this machine: brought up, looked at, taken down.

Its name in the engine is the app's and the checkout's, so several checkouts of one app stand side by side. A compose
tool starts it; what happens is read from the engine, and what stays after an interruption is found there by the
project's label, by the next `up` or `down`.
"""

from __future__ import annotations

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from deploylib import config, generated, process
from deploylib.config import MIGRATION
from deploylib.development import compose
from deploylib.errors import ConfigError, DeployError, MigrationError, ProcessError
from deploylib.toolchain import compose_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Future

    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.process import Finished
    from deploylib.toolchain.compose_tool import Container, Removed
    from deploylib.toolchain.engine import Engine
    from deploylib.toolchain.engine_api import EngineApi

    Say = Callable[[str], None]

FOLDER = ".cache/development"
FILE = "compose.yaml"
START_SECONDS = 600.0
POLL_SECONDS = 0.25
LOG_LINES = 20
ENV_FILE = (
    "# NAME=value: variables of your own for the containers of the development environment. Git ignores this file.\n"
)
OWN = frozenset({"COMPOSE_FILE", "COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES", "COMPOSE_IGNORE_ORPHANS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """The development environment of *environment*'s checkout; *tool* is how a compose command line begins."""

    environment: Environment
    engine: Engine
    tool: tuple[str, ...] = ()

    @property
    def project(self) -> str:
        """The name under which compose tools know it."""
        return project(self.environment)

    @property
    def file(self) -> Path:
        """The compose file that it was started from."""
        return self.environment.root / FOLDER / FILE

    @property
    def containers(self) -> tuple[Container, ...]:
        """What there is of it now."""
        return compose_tool.containers(self.engine.api, self.project)

    @property
    def command(self) -> tuple[str, ...]:
        """How a compose command line for it begins."""
        return (*self.tool, "--project-name", self.project, "--file", str(self.file))


def project(environment: Environment) -> str:
    """Return the name that the development environment of this checkout has in the engine."""
    return f"{environment.app.name}{compose_tool.suffix(environment.root)}"


def write(environment: Environment, images: Mapping[str, str], file: Path) -> bool:
    """Write the compose file, and the file for a developer's own variables if there is none; return what it changed."""
    text = compose.text(environment, images, file.parent)
    own = environment.root / compose.of(environment).env_file
    if not own.exists():
        own.touch(mode=0o600)
        own.write_text(ENV_FILE, encoding="utf-8")
    return generated.write(file, text)


def check(environment: Environment, images: Mapping[str, str], file: Path) -> None:
    """Raise `OutdatedError` when *file* is not what `write` would write."""
    text = compose.text(environment, images, file.parent)
    generated.check(file, text, command=f"inv dev.compose --env {environment.name}")


def up(stand: Stand, images: Mapping[str, str], say: Say, *, clock: Clock = time) -> None:
    """Start the containers and wait until all of them are healthy; say each change of their states.

    Raises `ConfigError` for a port that is taken, `MigrationError` and `DeployError` with the last lines of the log of
    what failed. Whatever happens, what was started stays: `down` removes it, and another `up` goes on.
    """
    _check_mounts(stand.environment)
    _check_ports(stand)
    write(stand.environment, images, stand.file)
    argv = (*stand.command, "up", "--detach", "--remove-orphans")
    with ThreadPoolExecutor(1) as threads:
        starting = threads.submit(
            process.run, argv, env={**_variables(), **stand.engine.environ}, timeout_seconds=START_SECONDS
        )
        try:
            _follow(stand, starting, say, clock)
        except BaseException as error:
            process.stop_all()
            if isinstance(error, KeyboardInterrupt):
                error.add_note("inv dev.up goes on from here, inv dev.down removes what is there")
            raise


def down(environment: Environment, api: EngineApi, *, volumes: bool) -> Removed:
    """Remove the containers and the network, and the data only with *volumes*."""
    return compose_tool.remove(api, project(environment), volumes=volumes)


def summary(stand: Stand) -> tuple[str, ...]:
    """Return where it answers and which folders are mounted."""
    addresses = [f"  {name}: http://127.0.0.1:{port}" for name, port in compose.published(stand.environment).items()]
    mounts = [f"  {mount} in {', '.join(names)}" for mount, names in _mounts(stand.environment).items()]
    program = " ".join((Path(stand.tool[0]).name, *stand.tool[1:]))
    logs = f"  logs: {program} -p {stand.project} -f {FOLDER}/{FILE} logs -f"
    return (*addresses, *mounts, logs)


def _mounts(environment: Environment) -> dict[str, list[str]]:
    """Return the containers that have each mount."""
    found: dict[str, list[str]] = {}
    for name, one in compose.of(environment).containers.items():
        for source, target in one.mounts.items():
            mount = f"{_shown(environment, source)} is {target.removesuffix(compose.READ_ONLY)}"
            found.setdefault(mount, []).append(name)
    return found


def _follow(stand: Stand, starting: Future[Finished], say: Say, clock: Clock) -> None:
    """Say what changes until all is well. What failed is only judged when the tool has done its part."""
    told: dict[str, str] = {}
    deadline = clock.monotonic() + START_SECONDS
    while True:
        started = starting.done()
        found = stand.containers
        for one in found:
            if told.get(one.service) != (state := _state(one)):
                told[one.service] = state
                say(f"{one.service}: {state}")
        if started:
            _refuse_failed(stand, found, starting)
            if all(map(_is_settled, found)):
                return
        if clock.monotonic() > deadline:
            raise DeployError(f"{stand.project} is not healthy after {START_SECONDS:g} s", hint="inv dev.down")
        clock.sleep(POLL_SECONDS)


def _refuse_failed(stand: Stand, found: tuple[Container, ...], starting: Future[Finished]) -> None:
    failed = next((one for one in found if _has_failed(one)), None)
    if failed:
        log = "\n".join(_explanation(stand, found, failed))
        kind = MigrationError if failed.service == MIGRATION else DeployError
        raise kind(f"{failed.service}: {_state(failed)}\n{log}".rstrip(), hint="correct it, then inv dev.up again")
    try:
        starting.result()
    except ProcessError as error:
        raise DeployError(f"{stand.project} was not started\n{error.output}".rstrip(), hint="inv dev.down") from error


def _is_settled(one: Container) -> bool:
    return one.state in ("healthy", "running") or (one.service == MIGRATION and one.state == "exited")


def _has_failed(one: Container) -> bool:
    ended = one.state == "exited" and (one.service != MIGRATION or one.exit_code != 0)
    return ended or one.state == "unhealthy"


def _state(one: Container) -> str:
    if one.state != "exited":
        return one.state
    return "done" if one.service == MIGRATION and one.exit_code == 0 else f"ended with exit code {one.exit_code}"


def _explanation(stand: Stand, found: tuple[Container, ...], failed: Container) -> Iterator[str]:
    """Yield the last lines of what failed, and of what it is beside: nginx has little to say of an application."""
    configured = compose.of(stand.environment).containers.get(failed.service)
    beside = [one for one in found if configured and one.service == configured.beside]
    for one in (*beside, failed):
        yield from (f"  {one.service} | {line}" for line in _last_lines(stand.engine, one))


def _last_lines(engine: Engine, one: Container) -> list[str]:
    done = process.run((engine.program, "logs", "--tail", str(LOG_LINES), one.id), env=engine.environ, ok=(0, 1))
    return (done.stdout + done.stderr).strip().splitlines()[-LOG_LINES:]


def _check_mounts(environment: Environment) -> None:
    for name, one in compose.of(environment).containers.items():
        for source in one.mounts:
            if not (environment.context / source).exists():
                raise ConfigError(
                    f"development.containers.{name}.mounts: {_shown(environment, source)} does not exist",
                    hint=f"create it, or correct {_file_of(environment, f'development.containers.{name}.mounts')}",
                )


def _check_ports(stand: Stand) -> None:
    """A port that somebody else has is told with its key: the engine's own message names neither."""
    if urlsplit(stand.engine.host).scheme != "unix":  # its ports are another machine's
        return
    ours = {port for one in stand.containers for port in one.ports}
    for name, port in compose.published(stand.environment).items():
        if port not in ours and not _is_free(port):
            key = f"development.containers.{name}.published"
            raise ConfigError(
                f"port {port} of this machine is taken, and {name} is to be published there",
                hint=f"stop what listens there, or change {key} in {_file_of(stand.environment, key)}",
            )


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except PermissionError:  # below 1024: the engine's business
        return True
    except OSError:
        return False
    return True


def _file_of(environment: Environment, key: str) -> str:
    found = config.origins(environment.root, environment.name)
    return next((file for name, (_, file) in found.items() if name.startswith(key)), f"{config.DIRECTORY}/common.toml")


def _shown(environment: Environment, source: str) -> str:
    return os.path.normpath(os.path.join(environment.app.path, source))  # noqa: PTH118 - `..` is meant as it is written


def _variables() -> dict[str, str]:
    """A developer's own settings of compose are meant for other projects."""
    return {name: "" for name in OWN if name in os.environ}
