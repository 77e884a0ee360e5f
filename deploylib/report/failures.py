"""Why a service did not roll out: which container, how it ended, its health, what it said last."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from rich.console import Group
from rich.panel import Panel
from rich.text import Text

from deploylib.report.console import Quoted, cleaned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from deploylib.events import RolloutFailed, StoppedTask

SHOWN_TASKS = 3
SIGNALLED = 128
KILLED = (137, 143)
EXIT_CODES = {
    126: "its command cannot be executed",
    127: "its command was not found",
    137: "killed: out of memory, or it did not stop in time",
    139: "crashed: segmentation fault",
    143: "told to stop",
}


def panel(event: RolloutFailed) -> Panel:
    """Return the report of a failed rollout in a frame."""
    title = Text.assemble((cleaned(event.service), "bold"), f": {event.verdict}")
    return Panel(Group(*body(event)), title=title, title_align="left", border_style="red", padding=(0, 1))


def body(event: RolloutFailed) -> Iterator[RenderableType]:
    """Return the report of a failed rollout, part by part."""
    if event.reason:
        yield Text(cleaned(event.reason))
    for task in event.tasks[:SHOWN_TASKS]:
        yield Text()
        yield from _task(task)
    if len(event.tasks) > SHOWN_TASKS:
        yield Text(f"\nand {len(event.tasks) - SHOWN_TASKS} more stopped tasks", style="dim")


def _task(task: StoppedTask) -> Iterator[RenderableType]:
    why = ": ".join(cleaned(part) for part in (task.stop_code, task.reason) if part)
    yield Text(why or "stopped, and ECS gives no reason")
    yield Text(f"  task {cleaned(task.task)}", style="dim")
    for index, (name, exit_code, reason, health) in enumerate(task.containers):
        yield _followed(name) if index and exit_code in KILLED else _container(name, exit_code, reason, health)
    if task.log:
        whose = f"{cleaned(task.containers[0][0])} said last:" if task.containers else "said last:"
        yield Text(f"  {whose}", style="dim")
        yield from (Quoted(line, indent=4) for line in task.log)


def _container(name: str, exit_code: int | None, reason: str, health: str) -> Text:
    """Return one container: what is wrong with it first."""
    sick = health == "UNHEALTHY"
    parts = [
        "its health check failed" if sick else "",
        "" if exit_code is None or (sick and exit_code in KILLED) else _ended(exit_code),
        cleaned(reason),
    ]
    said = ", ".join(part for part in parts if part) or "gave no exit code"
    return Text.assemble("  ", (cleaned(name), "bold red"), f"  {said}")


def _followed(name: str) -> Text:
    """Return a container that ECS stopped because another one had ended: it is not to blame."""
    return Text(f"  {cleaned(name)}  was stopped with the task", style="dim")


def _ended(exit_code: int) -> str:
    meaning = EXIT_CODES.get(exit_code) or _signal(exit_code)
    return f"exit code {exit_code}{f' ({meaning})' if meaning else ''}"


def _signal(exit_code: int) -> str:
    try:
        return f"ended by {signal.Signals(exit_code - SIGNALLED).name}"
    except ValueError:
        return ""
