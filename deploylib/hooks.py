"""Executables of the project around the steps of a release: an argv, a documented environment, every line an event.

docs/hooks.md is the interface. What a hook gets is what this process has, and the variables of `variables`: no
credentials of AWS are added. What it prints is shown without the credentials that this process has.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from deploylib import process
from deploylib.errors import ProcessError, RefusedError, ToolMissingError
from deploylib.events import Event, HookEnded, HookLogged, HookStarted, Noticed
from deploylib.images.buildlog import maskable, masked
from deploylib.secrecy import SECRET_NAME

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from deploylib.clock import Clock
    from deploylib.config import Environment

Hook = Literal["before_build", "after_build", "before_migrate", "after_migrate", "before_deploy", "after_deploy"]
Action = Literal["release", "rollback", "restart", "scale"]

COMMANDS: Mapping[Action, str] = {"release": "deploy", "rollback": "rollback", "restart": "refresh", "scale": "scale"}
LAST_LINES = 10
NAP_SECONDS = 0.001
NOT_IN_TIME, NOT_STARTED = 124, 126  # as `timeout` and a shell say it
SHORTEST_SECRET = 8  # a shorter value is in many lines that say nothing of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a hook is told of the release that it runs in.

    *release* is its number, 0 before it has one; *images* are references by digest, by role, as far as they are known.
    """

    commit: str
    action: Action = "release"
    release: int = 0
    images: Mapping[str, str] = field(default_factory=dict)
    services: tuple[str, ...] = ()
    url: str = ""
    by: str = ""


def variables(environment: Environment, hook: Hook, context: Context) -> dict[str, str]:
    """Return what *hook* gets beside what we have; by `DEPLOY_ENV` an `inv` in it means the same environment."""
    return {
        "DEPLOY_HOOK": hook,
        "DEPLOY_ENV": environment.name,
        "DEPLOY_ENVIRONMENT": environment.name,
        "DEPLOY_APP": environment.app.name,
        "DEPLOY_ACCOUNT_ID": environment.account.id,
        "DEPLOY_REGION": environment.account.region,
        "DEPLOY_ACTION": context.action,
        "DEPLOY_COMMIT": context.commit,
        "DEPLOY_RELEASE": str(context.release or ""),
        "DEPLOY_IMAGES": json.dumps(dict(context.images)),
        "DEPLOY_SERVICES": json.dumps(context.services),
        "DEPLOY_URL": context.url,
        "DEPLOY_BY": context.by,
    }


def run(
    environment: Environment,
    hook: Hook,
    context: Context,
    *,
    clock: Clock = time,
    inherited: Mapping[str, str] = os.environ,
) -> Generator[Event, None, None]:
    """Run *hook*, if there is one, in the project's folder, to its end; closing the generator stops it.

    Raises `RefusedError` when a `before_…` hook fails, or does not end in time; of the others that is only told.
    """
    argv: tuple[str, ...] = getattr(environment.hooks, hook)
    if not argv:
        return
    started = clock.monotonic()
    yield HookStarted(hook=hook, command=argv)
    last = _Last(hidden=_hidden(environment, inherited))
    exit_code, ended = yield from _run(environment, hook, variables(environment, hook, context), last=last, clock=clock)
    yield HookEnded(hook=hook, exit_code=exit_code, seconds=clock.monotonic() - started)
    if exit_code:
        problem = f"the hook {hook} ({argv[0]}) {ended}"
        if hook.startswith("before"):
            said = "\n".join((f"{problem}: the release stops here", *last.lines))
            raise RefusedError(said, hint=f"inv {COMMANDS[context.action]} --env {environment.name}, once it passes")
        yield Noticed(message=f"{problem}; that changes nothing about the release")


def _run(
    environment: Environment, hook: Hook, added: Mapping[str, str], *, last: _Last, clock: Clock
) -> Generator[Event, None, tuple[int, str]]:
    """Yield what the hook prints; return its exit code (a shell's, where there is none) and how it ended, in words."""
    argv, limit = getattr(environment.hooks, hook), environment.hooks.timeout_seconds
    printing = process.lines(
        argv,
        cwd=environment.root,
        env=added,
        timeout_seconds=limit,
        meanwhile=lambda: clock.sleep(NAP_SECONDS),  # the release's clock keeps the lock alive in its sleep
    )
    with contextlib.closing(printing) as spoken:
        while True:
            try:
                line = next(spoken)
            except StopIteration as end:
                code: int = end.value
                return code, f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
            except ProcessError:
                return NOT_IN_TIME, f"did not end within {limit:g} s (hooks.timeout_seconds)"
            except ToolMissingError as error:
                last.add(str(error))
                return NOT_STARTED, "could not be run"
            yield HookLogged(hook=hook, line=last.add(line))


@dataclass(slots=True, kw_only=True)
class _Last:
    """The last lines that a hook printed, without what nobody may see."""

    hidden: tuple[str, ...] = field(repr=False)
    lines: list[str] = field(default_factory=list)

    def add(self, raw: str) -> str:
        """Keep a line and return it as it may be shown."""
        line = masked(raw.rstrip(), self.hidden)
        self.lines = [*self.lines, line][-LAST_LINES:]
        return line


def _hidden(environment: Environment, inherited: Mapping[str, str]) -> tuple[str, ...]:
    """Return the secrets that a hook has from us, and may print: `env` is quickly written while something is sought."""
    ours = {one.variable for one in environment.notifications}
    secret = {value for name, value in inherited.items() if name in ours or SECRET_NAME.search(name)}
    return maskable(value for value in secret if len(value) >= SHORTEST_SECRET)
