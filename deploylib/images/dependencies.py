"""What a test needs beside the image: `[dependencies.*]` as throw-away containers, ready when their check says so.

The check is run in the container from here, again and again: an engine's own health checks begin after an interval, and
podman's need systemd. What a dependency keeps (`volume`) is kept in memory: nobody wants it back.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from deploylib.errors import ImageError
from deploylib.images.sandbox import Container
from deploylib.toolchain.engine_api import EngineRefusedError, EngineTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploylib.clock import Clock
    from deploylib.config import Dependency
    from deploylib.images.sandbox import Sandbox
    from deploylib.toolchain.engine_api import EngineApi

POLL_SECONDS, MOST_POLL_SECONDS = 0.1, 2.0
SHARE = 2.0  # a check costs a process or two: on a busy machine it must not slow down what it waits for
LAST_LINES = 10
CANNOT_RUN = 126


def start(
    sandbox: Sandbox, wanted: Mapping[str, Dependency], *, ensure: Callable[[str], None], clock: Clock
) -> dict[str, str]:
    """Start all of *wanted* at once, and return their containers by name when every one is ready.

    *ensure* brings an image to this machine. Raises `ImageError` with the last lines of the one that is not ready.
    """
    if not wanted:
        return {}

    def one(name: str) -> str:
        ensure(wanted[name].image)
        return _started(sandbox, name, wanted[name], clock)

    with ThreadPoolExecutor(len(wanted)) as threads:
        return dict(zip(wanted, threads.map(one, wanted), strict=True))


def last_words(sandbox: Sandbox, running: Mapping[str, str], count: int = LAST_LINES) -> str:
    """Return the last lines of each of the containers *running*, for an error."""
    return "\n".join(text for name, one in running.items() if (text := _last_words(sandbox, name, one, count)))


def _last_words(sandbox: Sandbox, name: str, container: str, count: int) -> str:
    said = sandbox.last_lines(container, count)
    return "\n".join((f"the last lines of {name}:", *(f"  {line}" for line in said))) if said else ""


def _started(sandbox: Sandbox, name: str, wanted: Dependency, clock: Clock) -> str:
    container = sandbox.create(
        Container(
            name=name,
            image=wanted.image,
            command=wanted.command,
            environment=wanted.environment,
            in_memory=(wanted.volume,) if wanted.volume else (),
        )
    )
    check = wanted.health_check or _own_check(sandbox.api, wanted.image)
    try:
        sandbox.start(container)
        _await_ready(sandbox, container, check, timeout_seconds=wanted.timeout_seconds, clock=clock)
    except ImageError as error:
        what = f"the dependency {name} ({wanted.image}) is not ready: {error}"
        hint = f"dependencies.{name} in environments/: image, environment, health_check, timeout_seconds"
        raise ImageError(f"{what}\n{last_words(sandbox, {name: container})}".rstrip(), hint=hint) from error
    return container


def _await_ready(
    sandbox: Sandbox, container: str, check: tuple[str, ...], *, timeout_seconds: float, clock: Clock
) -> None:
    deadline = clock.monotonic() + timeout_seconds
    while True:
        began = clock.monotonic()
        state = sandbox.state(container)
        if not state["Running"]:
            raise ImageError(f"it ended with exit code {state['ExitCode']}")
        code, said = _checked(sandbox, container, check)
        if code == 0:
            return
        if code == CANNOT_RUN:
            raise ImageError(f"its health check cannot be run: {said}")
        if clock.monotonic() >= deadline:
            raise ImageError(f"its health check still fails after {timeout_seconds:g} s: {said or f'exit code {code}'}")
        clock.sleep(min(MOST_POLL_SECONDS, max(POLL_SECONDS, SHARE * (clock.monotonic() - began))))


def _checked(sandbox: Sandbox, container: str, check: tuple[str, ...]) -> tuple[int, str]:
    try:
        return sandbox.execute(container, check) if check else (0, "")
    except EngineRefusedError as error:  # it ended just now, or has not quite begun
        return 1, error.reason
    except EngineTimeoutError:
        return 1, "no answer"


def _own_check(api: EngineApi, image: str) -> tuple[str, ...]:
    """Return the image's own HEALTHCHECK as a command, nothing when it has none."""
    document: Any = api.get(f"/images/{image}/json") or {}
    kind, *rest = ((document.get("Config") or {}).get("Healthcheck") or {}).get("Test") or ("NONE",)
    return {"CMD": tuple(rest), "CMD-SHELL": ("/bin/sh", "-c", *rest)}.get(kind, ())
