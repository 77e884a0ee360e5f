"""Why a service did not roll out: which container, how it ended, its health, what it said last.

One screen: of each thing the newest few; all of it is in the JSON lines, and in the report that is kept.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from deploylib.report.console import Quoted, cleaned
from deploylib.report.wording import SERVICE_PREFIX, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from deploylib.events import RolloutFailed, SickTarget, StoppedTask

SHOWN_TASKS, SHOWN_TARGETS, SHOWN_MESSAGES = 3, 3, 3
LOG_LINES, FURTHER_LOG_LINES = 15, 4
LABEL = " | "
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
    if event.since:
        yield Text(f"since {cleaned(moment(event.since))}", style="dim")
    for index, task in enumerate(event.tasks[:SHOWN_TASKS]):
        yield Text()
        yield from _task(task, log_lines=FURTHER_LOG_LINES if index else LOG_LINES)
    if more := sum(one.count for one in event.tasks[SHOWN_TASKS:]):
        yield Text(f"\nand {more} more stopped tasks", style="dim")
    yield from _targets(event.targets)
    if event.alarms:
        yield Text.assemble(("\nAlarms: ", "bold"), ", ".join(map(cleaned, event.alarms)))
    if event.messages:
        yield Text("\nECS said last", style="bold")
        yield from (Quoted(SERVICE_PREFIX.sub("", one)) for one in event.messages[-SHOWN_MESSAGES:])


def _targets(targets: Sequence[SickTarget]) -> Iterator[RenderableType]:
    """Return what the load balancer has against tasks."""
    if targets:
        yield Text("\nUnhealthy targets", style="bold")
    for one in targets[:SHOWN_TARGETS]:
        why = ": ".join(cleaned(part) for part in (one.reason, one.description) if part)
        said = f"  {cleaned(one.state)}{f', {why}' if why else ''}"
        yield _hanging(Text.assemble((cleaned(one.target), "bold red"), said))
    if len(targets) > SHOWN_TARGETS:
        yield Text(f"  and {len(targets) - SHOWN_TARGETS} more", style="dim")


def _task(task: StoppedTask, *, log_lines: int) -> Iterator[RenderableType]:
    why = ": ".join(cleaned(part) for part in (task.stop_code, task.reason) if part)
    yield Text(why or "stopped, and ECS gives no reason")
    yield _hanging(Text(_which(task), style="dim"))
    for index, (name, exit_code, reason, health) in enumerate(task.containers):
        yield _followed(name) if index and exit_code in KILLED else _container(name, exit_code, reason, health)
    for name, said in _tails(task, log_lines):
        yield Text(f"  {cleaned(name)} said last:" if name else "  said last:", style="dim")
        yield from (Quoted(line, indent=4) for line in said)


def _tails(task: StoppedTask, count: int) -> list[tuple[str, Sequence[str]]]:
    """Return the last *count* lines, by container: of several, each line begins with the name of its own."""
    names = [one[0] for one in task.containers]
    whose = {name: [line for line in task.log if line.startswith(f"{name}{LABEL}")] for name in names}
    if task.log and len(task.log) == sum(map(len, whose.values())):
        each = max(FURTHER_LOG_LINES, count // sum(map(bool, whose.values())))
        return [(name, [line[len(name + LABEL) :] for line in said[-each:]]) for name, said in whose.items() if said]
    return [(names[0] if names else "", task.log[-count:])] if task.log else []


def _hanging(text: Text) -> RenderableType:
    """Return *text* two columns in, also where it goes on in another line."""
    return Padding(text, (0, 0, 0, 2))


def _which(task: StoppedTask) -> str:
    """Return which task it is, when it stopped, and how many did like it."""
    stopped = f", stopped {cleaned(moment(task.stopped_at))}" if task.stopped_at else ""
    alike = f", the newest of {task.count} alike" if task.count > 1 else ""
    return f"task {cleaned(task.task)}{stopped}{alike}"


def _container(name: str, exit_code: int | None, reason: str, health: str) -> RenderableType:
    """Return one container: what is wrong with it first."""
    sick = health == "UNHEALTHY"
    parts = [
        "its health check failed" if sick else "",
        "" if exit_code is None or (sick and exit_code in KILLED) else _ended(exit_code),
        cleaned(reason),
    ]
    said = ", ".join(part for part in parts if part) or "gave no exit code"
    return _hanging(Text.assemble((cleaned(name), "bold red"), f"  {said}"))


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
