"""A command of one's own, once, with the image that is released: what it prints, and its exit code."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib import oneoff
from deploylib.errors import CommandError, ConfigError, TaskError
from deploylib.events import Event
from deploylib.stopped import explain

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.upkeep.places import Place

TOKEN_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandStarted(Event):
    """The task *task* was started, of *revision*, with *command* in *container*; its output follows if *logged*."""

    task: str
    service: str
    container: str
    revision: str
    command: tuple[str, ...]
    logged: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLogged(Event):
    """One line that the command printed."""

    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandEnded(Event):
    """The command ended with that exit code."""

    task: str
    exit_code: int
    seconds: float


def check(words: Sequence[str], environment: str) -> tuple[str, ...]:
    """Return the command; raise `ConfigError` when there is none after `--`."""
    if not words:
        raise ConfigError("no command to run", hint=f"inv run --env {environment} -- python manage.py check")
    return tuple(words)


def run(
    account: Account, place: Place, command: tuple[str, ...], *, token: str = "", clock: Clock = time
) -> Generator[Event, None, None]:
    """Run *command* in *place* as a task of its own, and yield what it prints to its last line.

    Raises `CommandError` with its exit code when that is not 0, `TaskError` when it did not run. Ctrl-C stops it.
    """
    order = oneoff.Order(container=place.container, command=command, started_by=f"run/{place.contract.family}")
    token = token or secrets.token_hex(TOKEN_BYTES)
    task = oneoff.start(account, place.site, order, revision=place.revision, token=token)
    started = clock.monotonic()
    ended = yield from oneoff.follow(account, place.cluster, _watch(account, place, command, task), clock=clock)
    code = oneoff.container_of(ended, place.container).get("exitCode")
    if code is None:
        raise _did_not_run(account, place, ended)
    yield CommandEnded(task=oneoff.identifier(task), exit_code=code, seconds=clock.monotonic() - started)
    if code:
        raise CommandError(f"{command[0]} ended with exit code {code}", exit_code=code)


def _watch(account: Account, place: Place, command: tuple[str, ...], task: str) -> oneoff.Watch:
    log = oneoff.log_of(account, place.definition, place.container, task)
    begun = CommandStarted(
        task=oneoff.identifier(task),
        service=place.key,
        container=place.container,
        revision=place.revision,
        command=command,
        logged=log is not None,
    )
    return oneoff.Watch(task=task, log=log, begun=begun, said=_said, what="the task")


def _said(line: str) -> Event:
    return CommandLogged(line=line)


def _did_not_run(account: Account, place: Place, task: Mapping[str, Any]) -> TaskError:
    why = explain(account, task, place.definition)
    reasons = (why.reason, str(oneoff.container_of(task, place.container).get("reason", "")))
    reason = "; ".join(dict.fromkeys(filter(None, reasons)))
    said = reason or "no reason given"
    return TaskError(f"the task {why.task} did not run ({why.stop_code or 'no exit code'}): {said}")
