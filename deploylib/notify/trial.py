"""A message to everybody who is told of releases, to see that it arrives: `inv notify.test`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deploylib.errors import ConfigError, DeployError
from deploylib.notify.messages import Message
from deploylib.notify.sending import Channel, Post, Send, send

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploylib.clock import Clock
    from deploylib.config import Environment

COLUMNS = ("address", "told of", "result")
TAKEN = "taken"

Row = tuple[str, str, str]


def carry_out(
    environment: Environment, channels: Sequence[Channel], *, clock: Clock, send: Send = send
) -> tuple[Row, ...]:
    """Send a message to each of *channels* at once; return what became of it. Raises `ConfigError` without any."""
    if not channels:
        raise ConfigError(
            f"{environment.name} tells nobody: it has no [[notifications]]",
            hint=f"add [[notifications]] with variable or parameter to environments/{environment.name}.toml",
        )
    title = f"{environment.app.name} {environment.name}: test"
    body = "a test of the notifications; nothing is being released"
    post = Post([replace(one, kinds=("started",)) for one in channels], clock=clock, send=send)
    post.take(Message(kind="started", title=title, body=body))
    post.wait()
    results = post.problems()
    post.close()
    return tuple(
        (one.name, ", ".join(one.kinds), result or TAKEN) for one, result in zip(channels, results, strict=True)
    )


def refuse_untold(rows: Sequence[Row]) -> None:
    """Raise when a message did not arrive."""
    if failed := [f"{name}: {result}" for name, _, result in rows if result != TAKEN]:
        raise DeployError("; ".join(failed), hint="correct the address: a URL as Apprise has it for that service")
