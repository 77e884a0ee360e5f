"""What runs, shown between releases: what a command prints, as it is; lines of logs with where they are from."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from rich.text import Text

from deploylib import secrecy
from deploylib.report import lines
from deploylib.report.console import asides, cleaned, elapsed, results
from deploylib.taskdef import short
from deploylib.upkeep.command import CommandEnded, CommandLogged, CommandStarted

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from rich.console import Console

    from deploylib.events import Event
    from deploylib.upkeep.logs import Line

SHORT = 8


def ran(
    happening: Generator[Event, None, None],
    *,
    output: str = "text",
    stream: TextIO | None = None,
    console: Console | None = None,
) -> None:
    """Pass on what a command prints, untouched, to standard output; what is ours goes to standard error."""
    stream, console = stream or sys.stdout, console or asides()
    event = next(happening, None)
    while event is not None:
        try:
            _tell(event, output, stream, console)
        except KeyboardInterrupt as interrupt:  # it knows what has to be stopped
            event = happening.throw(interrupt)
        else:
            event = next(happening, None)


def log(found: Iterable[Line], *, output: str = "text", stream: TextIO | None = None) -> None:
    """Print each line as it comes, with its time, container and task; what looks like a credential is hidden.

    For machines it is one JSON document a line.
    """
    stream, console = stream or sys.stdout, results()
    for one in map(secrecy.without_secrets, found):
        if output == "json":
            lines.write({"event": "LogLine", "time": one.time, **_fields(one)}, stream)
        else:
            where = f"{one.service}/{one.container} {one.task[:SHORT]}"
            console.print(Text.assemble((f"{one.time} {where} ", "dim"), cleaned(one.message)), soft_wrap=True)


def _fields(line: Line) -> dict[str, str]:
    return {"service": line.service, "container": line.container, "task": line.task, "message": line.message}


def _tell(event: Event, output: str, stream: TextIO, console: Console) -> None:
    if output == "json":
        lines.write(lines.document(event), stream)
    elif isinstance(event, CommandLogged):
        stream.write(event.line + "\n")
        stream.flush()
    else:
        console.print(Text(_sentence(event), style="dim"), soft_wrap=True)


def _sentence(event: Event) -> str:
    if isinstance(event, CommandStarted):
        mute = "" if event.logged else "; what it prints is not in CloudWatch Logs"
        return cleaned(f"{event.service}/{event.container}: task {event.task} of {short(event.revision)}{mute}")
    if isinstance(event, CommandEnded):
        return f"exit code {event.exit_code} after {elapsed(event.seconds)}"
    return ""
