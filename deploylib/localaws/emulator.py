"""Start, look at and stop the emulator of a checkout.

It runs detached, in a session of its own. What is recorded is its process id with its start, its port and its engine:
enough for `status` and `down` to find everything again, also after it was killed. Its AWS state is in memory only, so a
new start begins empty; what its predecessor left in the container engine is removed by label first.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import os
import re
import shutil
import socket
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from deploylib.errors import ConfigError, RefusedError, ToolMissingError
from deploylib.localaws import database_image, instance, leftovers
from deploylib.localaws.instance import LocalAws
from deploylib.localaws.leftovers import Removed
from deploylib.toolchain import checkout_lock, python_environment, recorded_process
from deploylib.toolchain import engine as engines
from deploylib.toolchain.engine_api import EngineApi, EngineSilentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from deploylib.clock import Clock
    from deploylib.toolchain.engine import Engine

NAME = "local"
ACCOUNT_ID = "000000000000"
REGION = "ap-northeast-1"
FIRST_PORT = 4566
PORTS = 100
VARIABLE = b"LOCALAWS_INSTANCE="
MODULE = "deploylib.localaws.extension"
READY_SECONDS = 30
READY_PATH = "/_ministack/health"
STOP_SECONDS = 5
POLL_SECONDS = 0.02
ANSWER_SECONDS = 2
LAST_LINES = 15
OK = 200
VALID_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,20}")
# The emulator must not inherit credentials, endpoints or a Python path that are meant for somebody else.
KEPT = re.compile(r"PATH|HOME|USER|LANG|LC_.*|TZ|SSL_CERT_.*|REQUESTS_CA_BUNDLE|LOCALAWS_.*|XDG_RUNTIME_DIR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What there is of an emulator. `last_lines` of its log are given when it died."""

    name: str
    state: Literal["running", "died", "absent"]
    local: LocalAws | None = None
    uptime_seconds: float = 0.0
    containers: tuple[str, ...] = ()
    last_lines: tuple[str, ...] = ()


def up(
    root: Path,
    *,
    engine: Engine,
    name: str = NAME,
    account_id: str = ACCOUNT_ID,
    region: str = REGION,
    environ: Mapping[str, str] = os.environ,
    say: Callable[[str], None] = lambda _: None,
    clock: Clock = time,
) -> LocalAws:
    """Return the emulator *name*, started if it does not run, once it answers."""
    if not VALID_NAME.fullmatch(name):
        raise ConfigError(f"{name!r} cannot name a local AWS: small letters, digits and hyphens only")
    with checkout_lock.locked(root, say):
        recorded = instance.read(root, name)
        if recorded and recorded_process.is_alive(recorded.process):
            _refuse_other(recorded, account_id, region)
            _await(root, recorded, clock)
            return recorded
        mark = instance.instance_id(root, name)
        _stop_unrecorded(mark, clock)
        leftovers.remove(engine.api, mark)
        database_image.ensure(root, engine, say)
        say(f"starting the local AWS, account {account_id}")
        with _starting():
            local = LocalAws(
                name=name,
                instance=mark,
                port=_port(root, recorded),
                account_id=account_id,
                region=region,
                engine_host=engine.host,
                started_at=clock.time(),
            )
            return _start(root, local, engine, environ, clock)


def status(root: Path, name: str = NAME, *, clock: Clock = time) -> Status:
    """Return what there is of the emulator *name*."""
    local = instance.read(root, name)
    if local is None:
        return Status(name=name, state="absent")
    containers = _containers(local)
    if recorded_process.is_alive(local.process):
        uptime = clock.time() - local.started_at
        return Status(name=name, state="running", local=local, uptime_seconds=uptime, containers=containers)
    return Status(name=name, state="died", local=local, containers=containers, last_lines=_last_lines(root, name))


def down(root: Path, *, say: Callable[[str], None] = lambda _: None, clock: Clock = time) -> Removed:
    """Stop every emulator of this checkout; remove what they and its deploys made, and `.local/`.

    Raises, after the processes are stopped, when the container engine does not answer: what is in it stays recorded.
    """
    with checkout_lock.locked(root, say):
        recorded = instance.read_all(root)
        for local in recorded:
            recorded_process.stop(local.process, patience_seconds=STOP_SECONDS, clock=clock)
        _stop_unrecorded(instance.instance_id(root, ""), clock)
        removed = _remove_from_engines(root, recorded)
        shutil.rmtree(root / instance.FOLDER, ignore_errors=True)
    return removed


def render(found: Status) -> str:
    """Return *found* as lines for a person."""
    if found.local is None:
        return "the local AWS is not there\n  next: inv local.up"
    if found.state == "died":
        log = "\n".join(f"  | {line}" for line in found.last_lines)
        return f"the local AWS has died; the last lines of its log:\n{log}\n  next: inv local.up"
    local = found.local
    lines = [
        f"the local AWS runs: {local.endpoint}",
        f"  account {local.account_id}, region {local.region}, profile {local.name}",
        f"  process {local.pid}, up for {_duration(found.uptime_seconds)}",
        f"  containers: {', '.join(found.containers) or 'none'}",
    ]
    return "\n".join(lines)


@contextlib.contextmanager
def _starting() -> Iterator[None]:
    """Let one emulator of this machine start at a time: a free port must not be found twice."""
    with checkout_lock.locked(Path(tempfile.gettempdir()), lambda _: None):
        yield


def _port(root: Path, recorded: LocalAws | None) -> int:
    if recorded is not None:
        if not _is_free(recorded.port):
            raise ToolMissingError(
                f"port {recorded.port}, where the local AWS {recorded.name!r} was, is taken by another program",
                hint="inv local.down, then inv local.up: it finds a free one",
            )
        return recorded.port
    others = {local.port for local in instance.read_all(root)}
    for port in range(FIRST_PORT, FIRST_PORT + PORTS):
        if port not in others and _is_free(port):
            return port
    raise ToolMissingError(f"no free port from {FIRST_PORT} to {FIRST_PORT + PORTS - 1}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def _start(root: Path, local: LocalAws, engine: Engine, environ: Mapping[str, str], clock: Clock) -> LocalAws:
    python = python_environment.emulator(root).python
    if not python.exists():
        raise ToolMissingError(f"the emulator is not installed in {python.parent.parent}", hint="make setup")
    home, log = instance.folder(root, local.name), instance.log_file(root, local.name)
    shutil.rmtree(home, ignore_errors=True)
    (home / "tmp").mkdir(parents=True)
    argv = (str(python), "-m", MODULE)
    program = recorded_process.start_detached(argv, log=log, env=_environment(root, local, engine, environ), cwd=home)
    record = recorded_process.record(program.pid)
    started = dataclasses.replace(local, pid=record.pid, process_started=record.started)
    instance.write(root, started)
    _await(root, started, clock)
    return started


def _environment(root: Path, local: LocalAws, engine: Engine, environ: Mapping[str, str]) -> dict[str, str]:
    home = instance.folder(root, local.name)
    return {
        **{name: value for name, value in environ.items() if KEPT.fullmatch(name)},
        **engine.environ,
        "PYTHONPATH": str(root),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(home / "tmp"),
        "LOCALAWS_INSTANCE": local.instance,
        "LOCALAWS_PORT": str(local.port),
        "LOCALAWS_ACCOUNT_ID": local.account_id,
        "LOCALAWS_REGION": local.region,
        "LOCALAWS_CALLS_FILE": str(home / "calls.jsonl"),
        "LOCALAWS_POSTGRES_IMAGE": database_image.ANY_MAJOR,
    }


def _await(root: Path, local: LocalAws, clock: Clock) -> None:
    deadline = clock.monotonic() + READY_SECONDS
    while not _answers(local):
        if not recorded_process.is_alive(local.process):
            log = "\n".join(_last_lines(root, local.name))
            raise ToolMissingError(f"the local AWS ended while it started:\n{log}", hint="inv local.up")
        if clock.monotonic() >= deadline:
            raise ToolMissingError(
                f"the local AWS (process {local.pid}) does not answer at {local.endpoint} within {READY_SECONDS} s",
                hint=f"less {instance.log_file(root, local.name)}",
            )
        clock.sleep(POLL_SECONDS)


def _answers(local: LocalAws) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", local.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", READY_PATH)
        return connection.getresponse().status == OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _refuse_other(local: LocalAws, account_id: str, region: str) -> None:
    if (local.account_id, local.region) != (account_id, region):
        raise ConfigError(
            f"the local AWS {local.name!r} runs as account {local.account_id} in {local.region}, "
            f"not {account_id} in {region}",
            hint="inv local.down, then inv local.up",
        )


def _stop_unrecorded(mark: str, clock: Clock) -> None:
    """Stop emulators whose record is lost (`.local/` was deleted under them): their environment names them.

    *mark* is an instance, or with a hyphen at its end every instance of a checkout.
    """
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            variables = path.read_bytes().split(b"\0")
            arguments = (path.parent / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        named = [variable[len(VARIABLE) :].decode() for variable in variables if variable.startswith(VARIABLE)]
        if (
            any(name == mark or (mark.endswith("-") and name.startswith(mark)) for name in named)
            and MODULE.encode() in arguments
        ):
            lost = recorded_process.record(int(path.parent.name))
            recorded_process.stop(lost, patience_seconds=STOP_SECONDS, clock=clock)


def _remove_from_engines(root: Path, recorded: tuple[LocalAws, ...]) -> Removed:
    removed = Removed()
    for host in {local.engine_host for local in recorded} or _answering_engine():
        api = EngineApi(host=host)
        try:
            for mark in leftovers.instances(api, instance.instance_id(root, "")):
                removed += leftovers.remove(api, mark)
            for local in recorded:
                removed += leftovers.remove_images(api, local.registry)
        except EngineSilentError as error:
            raise ToolMissingError(
                f"the local AWS is stopped, but the container engine at {host} does not answer: "
                "its containers and images are still there",
                hint="start the container engine (make setup), then inv local.down",
            ) from error
    return removed


def _answering_engine() -> set[str]:
    try:
        return {engines.find().host}
    except (ToolMissingError, RefusedError):
        return set()


def _containers(local: LocalAws) -> tuple[str, ...]:
    try:
        return leftovers.containers(EngineApi(host=local.engine_host), local.instance)
    except EngineSilentError:
        return ()


def _last_lines(root: Path, name: str) -> tuple[str, ...]:
    try:
        text = instance.log_file(root, name).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    return tuple(text.splitlines()[-LAST_LINES:])


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
