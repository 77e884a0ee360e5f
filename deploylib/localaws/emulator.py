"""Start, look at and stop the emulator of a checkout.

It runs detached, in a session of its own. What is recorded is its process id with its start, its port and its engine:
enough for `status` and `down` to find everything again, also after it was killed. Its AWS state is in memory only, so a
new start begins empty; what its predecessor left in the container engine is removed by label first.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from deploylib.errors import ConfigError, RefusedError, ToolMissingError
from deploylib.localaws import dependency_images, instance, launch, leftovers
from deploylib.localaws.instance import LocalAws
from deploylib.localaws.leftovers import Removed
from deploylib.toolchain import checkout_lock, recorded_process
from deploylib.toolchain import engine as engines
from deploylib.toolchain.engine_api import EngineApi, EngineSilentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from deploylib.clock import Clock
    from deploylib.toolchain.engine import Engine

NAME = "local"
ACCOUNT_ID = "000000000000"
REGION = "ap-northeast-1"
VALID_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,19}[a-z0-9])?")


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
    """Return the emulator *name*, started if it does not run, once it answers.

    A new one gets the first free port from 4566, or from LOCALAWS_PORT in *environ*, on.
    """
    if not VALID_NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot name a local AWS: small letters and digits, hyphens between them, 21 at most",
            hint="correct the environment's account.profile",
        )
    with checkout_lock.locked(root, say):
        recorded = instance.read(root, name)
        if recorded and recorded_process.is_alive(recorded.process):
            _refuse_other(recorded, account_id, region, engine)
            launch.await_ready(root, recorded, clock)
            return recorded
        mark = instance.instance_id(root, name)
        _clear(mark, engine, clock)
        dependency_images.ensure_all(root, engine, say)
        say(f"starting the local AWS {name!r}, account {account_id}")
        with launch.alone():
            local = LocalAws(
                name=name,
                instance=mark,
                port=launch.port_for(root, recorded, environ),
                account_id=account_id,
                region=region,
                engine_host=engine.host,
                started_at=clock.time(),
            )
            return launch.start(root, local, engine, environ, clock)


def status(root: Path, name: str = NAME, *, clock: Clock = time) -> Status:
    """Return what there is of the emulator *name*."""
    local = instance.read(root, name)
    if local is None:
        return Status(name=name, state="absent")
    containers = _containers(local)
    if recorded_process.is_alive(local.process):
        uptime = clock.time() - local.started_at
        return Status(name=name, state="running", local=local, uptime_seconds=uptime, containers=containers)
    return Status(name=name, state="died", local=local, containers=containers, last_lines=launch.last_lines(root, name))


def down(root: Path, name: str = "", *, say: Callable[[str], None] = lambda _: None, clock: Clock = time) -> Removed:
    """Stop every emulator of this checkout, or just *name*; remove what they and its deploys made, and the record.

    Raises, after the processes are stopped, when the container engine does not answer: what is in it stays recorded.
    """
    with checkout_lock.locked(root, say):
        recorded = tuple(one for one in instance.read_all(root) if name in {"", one.name})
        mark = instance.instance_id(root, name)
        stopped = _stop(recorded, mark, clock)
        removed = stopped + _remove_from_engines(recorded, mark)
        instance.forget(root, name)
    return removed


def render(found: Status, *, environment: str = "") -> str:
    """Return *found* as lines for a person; *environment* is the one to start it with."""
    next_command = f"inv local.up --env {environment}" if environment else "inv local.down (no environment has it)"
    if found.local is None:
        return f"the local AWS {found.name!r} is not there\n  next: {next_command}"
    if found.state == "died":
        log = "\n".join(f"  | {line}" for line in found.last_lines)
        return f"the local AWS {found.name!r} has died; the last lines of its log:\n{log}\n  next: {next_command}"
    local = found.local
    lines = [
        f"the local AWS {local.name!r} runs: {local.endpoint}",
        f"  account {local.account_id}, region {local.region}, profile {local.name}",
        f"  process {local.pid}, up for {_duration(found.uptime_seconds)}",
        f"  containers: {', '.join(found.containers) or 'none'}",
    ]
    return "\n".join(lines)


def _clear(mark: str, engine: Engine, clock: Clock) -> None:
    """Remove what a killed predecessor left."""
    launch.stop_unrecorded(mark, clock)
    leftovers.remove(engine.api, mark)


def _refuse_other(local: LocalAws, account_id: str, region: str, engine: Engine) -> None:
    runs, wanted = (local.account_id, local.region, local.engine_host), (account_id, region, engine.host)
    if runs != wanted:
        raise ConfigError(
            f"the local AWS {local.name!r} runs as account {runs[0]} in {runs[1]} on {runs[2]}, "
            f"not as {wanted[0]} in {wanted[1]} on {wanted[2]}",
            hint="inv local.down, then inv local.up; an account of its own is a profile of its own",
        )


def _stop(recorded: tuple[LocalAws, ...], mark: str, clock: Clock) -> Removed:
    """Stop the processes; an emulator that ends in peace removes its containers itself."""
    there = sum(len(_containers(local)) for local in recorded)
    patience = launch.STOP_SECONDS
    stopped = sum(recorded_process.stop(each.process, patience_seconds=patience, clock=clock) for each in recorded)
    lost = launch.stop_unrecorded(mark, clock)
    return Removed(emulators=stopped + lost, containers=there - sum(len(_containers(local)) for local in recorded))


def _remove_from_engines(recorded: tuple[LocalAws, ...], mark: str) -> Removed:
    """Remove what carries *mark*: an instance, or with a hyphen at its end every instance of a checkout."""
    removed = Removed()
    for host in {local.engine_host for local in recorded} or _answering_engine():
        api = EngineApi(host=host)
        try:
            for one in leftovers.instances(api, mark) if mark.endswith("-") else (mark,):
                removed += leftovers.remove(api, one)
            for local in recorded:
                removed += leftovers.remove_images(api, local.registry)
            leftovers.remove_pause_image(api)
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


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
