"""Health checks in the background: each on a thread of its own, until its task stops."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from docker.errors import APIError

from deploylib.localaws.extension.health import Result

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence

    from deploylib.localaws.extension.engine import Engine
    from deploylib.localaws.extension.health import Health, Judge
    from deploylib.localaws.extension.settings import Settings

EXEC_POLL_SECONDS = 0.02


def command_of(check: Mapping[str, Any] | None) -> list[str]:
    """Return what a container's `healthCheck` runs, empty for none."""
    command = list((check or {}).get("command") or [])
    if not command or command[0] == "NONE":
        return []
    if command[0] == "CMD-SHELL":
        return ["/bin/sh", "-c", *command[1:]]
    return command[1:] if command[0] == "CMD" else command


def follow(
    check: Callable[[], Result],
    judge: Judge,
    tell: Callable[[Health, Result], None],
    *,
    own_interval_seconds: float,
    settings: Settings,
    over: threading.Event,
) -> None:
    """Repeat *check* and tell each verdict, until *over*; it rests as long as it worked, at least."""
    while not over.is_set():
        began = time.monotonic()
        result = check()
        if over.is_set():
            return
        now = time.monotonic()
        tell(judge.hear(passed=result.passed, now=now), result)
        over.wait(max(now - began, judge.interval_seconds(settings.health_interval_seconds, own_interval_seconds)))


def in_container(engine: Engine, identifier: str, command: Sequence[str], timeout_seconds: float) -> Result:
    """Run a check inside a container; a check that takes too long has failed."""
    api = engine.client.api
    try:
        started = api.exec_create(identifier, list(command))["Id"]
        api.exec_start(started, detach=True)
        deadline = time.monotonic() + timeout_seconds
        while (state := api.exec_inspect(started))["Running"] and time.monotonic() < deadline:
            time.sleep(EXEC_POLL_SECONDS)
    except APIError as error:
        return Result(passed=False, description=str(error.explanation or error))
    return Result(passed=not state["Running"] and state["ExitCode"] == 0)
