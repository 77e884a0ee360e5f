"""The emulator's process: a free port, its environment, its start until it answers, and its end."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import re
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from deploylib.errors import ConfigError, ToolMissingError
from deploylib.localaws import dependency_images, instance
from deploylib.toolchain import checkout_lock, python_environment, recorded_process

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deploylib.clock import Clock
    from deploylib.localaws.instance import LocalAws
    from deploylib.toolchain.engine import Engine
    from deploylib.toolchain.recorded_process import RecordedProcess

MODULE = "deploylib.localaws.extension"
VARIABLE = b"LOCALAWS_INSTANCE="
FIRST_PORT = 4566
PORTS = 100
LAST_PORT = 65535
READY_PATH = "/_ministack/health"
READY_SECONDS = 30
ANSWER_SECONDS = 2
STOP_SECONDS = 5
POLL_SECONDS = 0.02
LAST_LINES = 15
OK = 200
# The emulator must not inherit credentials, endpoints or a Python path that are meant for somebody else.
KEPT = re.compile(r"PATH|HOME|USER|LANG|LC_.*|TZ|SSL_CERT_.*|REQUESTS_CA_BUNDLE|LOCALAWS_.*|XDG_RUNTIME_DIR")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let one emulator of this machine start at a time: a free port must not be found twice."""
    with checkout_lock.locked(Path(tempfile.gettempdir()), lambda _: None):
        yield


def port_for(root: Path, recorded: LocalAws | None, environ: Mapping[str, str]) -> int:
    """Return the port of the recorded emulator, or a free one."""
    if recorded is not None:
        if not _is_free(recorded.port):
            raise ToolMissingError(
                f"port {recorded.port}, where the local AWS {recorded.name!r} was, is taken by another program",
                hint="inv local.down, then inv local.up: it finds a free one",
            )
        return recorded.port
    others, first = {local.port for local in instance.read_all(root)}, _first_port(environ)
    for port in range(first, first + PORTS):
        if port not in others and _is_free(port):
            return port
    raise ToolMissingError(f"no free port from {first} to {first + PORTS - 1}", hint="LOCALAWS_PORT=… inv local.up")


def _first_port(environ: Mapping[str, str]) -> int:
    text = environ.get("LOCALAWS_PORT") or str(FIRST_PORT)
    if not text.isdecimal() or not 0 < int(text) <= LAST_PORT - PORTS:
        raise ConfigError(f"LOCALAWS_PORT={text} is no port from 1 to {LAST_PORT - PORTS}")
    return int(text)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def start(root: Path, local: LocalAws, engine: Engine, environ: Mapping[str, str], clock: Clock) -> LocalAws:
    """Start *local* detached and return it, with its process, once it answers."""
    python = python_environment.emulator(root).python
    if not python.exists():
        raise ToolMissingError(f"the emulator is not installed in {python.parent.parent}", hint="make setup")
    home, log = instance.folder(root, local.name), instance.log_file(root, local.name)
    shutil.rmtree(home, ignore_errors=True)
    (home / "tmp").mkdir(parents=True)
    argv = (str(python), "-m", MODULE)
    record = recorded_process.start_detached(argv, log=log, env=_environment(root, local, engine, environ), cwd=home)
    started = dataclasses.replace(local, pid=record.pid, process_started=record.started)
    instance.write(root, started)
    await_ready(root, started, clock)
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
        "LOCALAWS_POSTGRES_IMAGE": dependency_images.ANY_POSTGRES,
    }


def await_ready(root: Path, local: LocalAws, clock: Clock) -> None:
    """Return once *local* answers. Raises, with the end of its log, when it ends or stays silent."""
    deadline = clock.monotonic() + READY_SECONDS
    while not _answers(local):
        if not recorded_process.is_alive(local.process):
            log = "\n".join(last_lines(root, local.name))
            raise ToolMissingError(f"the local AWS ended while it started:\n{log}", hint="inv local.up")
        if clock.monotonic() >= deadline:
            raise ToolMissingError(
                f"the local AWS (process {local.pid}) does not answer at {local.endpoint} within {READY_SECONDS} s",
                hint=f"less {instance.log_file(root, local.name)}",
            )
        clock.sleep(POLL_SECONDS)


def stop_unrecorded(mark: str, clock: Clock) -> int:
    """Stop emulators whose record is lost (`.local/` was deleted under them) and return how many there were.

    *mark* is an instance, or with a hyphen at its end every instance of a checkout.
    """
    lost = tuple(_unrecorded(mark))
    return sum(recorded_process.stop(each, patience_seconds=STOP_SECONDS, clock=clock) for each in lost)


def _unrecorded(mark: str) -> Iterator[RecordedProcess]:
    """Yield the emulators whose own environment names *mark*."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            variables = path.read_bytes().split(b"\0")
            arguments = (path.parent / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        names = (each[len(VARIABLE) :].decode() for each in variables if each.startswith(VARIABLE))
        ours = any(name == mark or (mark.endswith("-") and name.startswith(mark)) for name in names)
        if ours and MODULE.encode() in arguments:
            yield recorded_process.record(int(path.parent.name))


def last_lines(root: Path, name: str) -> tuple[str, ...]:
    """Return the end of the log of the emulator *name*."""
    try:
        text = instance.log_file(root, name).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    return tuple(text.splitlines()[-LAST_LINES:])


def _answers(local: LocalAws) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", local.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", READY_PATH)
        return connection.getresponse().status == OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
