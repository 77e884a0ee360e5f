"""A merge test, shown: what the command prints as it is, and where the two sides of a conflict differ."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, TextIO

from rich.text import Text

from deploylib.merge_test import Conflicted, Ended, Merged, MergeStarted, Printed
from deploylib.report import lines
from deploylib.report.console import asides, cleaned, elapsed
from deploylib.report.wording import SHORT_COMMIT

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from rich.console import Console

    from deploylib.events import Event
    from deploylib.merge_test import Change, Hunk

SHOWN_HUNKS, SHOWN_LINES = 3, 6


def merge_tested(
    happening: Generator[Event, None, None],
    *,
    output: str = "text",
    stream: TextIO | None = None,
    console: Console | None = None,
) -> None:
    """Pass on what the command prints, untouched, to standard output; everything else goes to standard error."""
    stream, console = stream or sys.stdout, console or asides()
    with contextlib.closing(happening):
        for event in happening:
            if output == "json":
                lines.write(lines.document(event), stream)
            elif isinstance(event, Printed):
                stream.write(event.line + "\n")
                stream.flush()
            else:
                for line in _told(event):
                    console.print(line, soft_wrap=True)


def _told(event: Event) -> Iterator[Text]:
    if isinstance(event, MergeStarted):
        commit, tip = event.commit[:SHORT_COMMIT], event.tip[:SHORT_COMMIT]
        yield Text(cleaned(f"Merging {commit} into {event.into} ({tip})"), style="dim")
        if event.uncommitted:
            files = "1 file is" if event.uncommitted == 1 else f"{event.uncommitted} files are"
            yield Text(f"{files} not committed, and so no part of it", style="yellow")
    elif isinstance(event, Merged):
        yield Text(cleaned(f"It merges{'' if event.anew else f': {event.into} has it already'}"), style="dim")
    elif isinstance(event, Conflicted):
        yield from _conflict(event)
    elif isinstance(event, Ended):
        yield Text(f"exit code {event.exit_code} after {elapsed(event.seconds)}", style="dim")


def _conflict(event: Conflicted) -> Iterator[Text]:
    yield Text.assemble((cleaned(event.path), "bold red"), f": {cleaned(event.why)}")
    for hunk in event.hunks[:SHOWN_HUNKS]:
        yield from _hunk(hunk, event.into)
    if more := len(event.hunks) - SHOWN_HUNKS:
        yield from [Text(f"  and {more} more places", style="dim")] * (more > 0)
    yield from _changes(event.theirs, event.into)
    yield from _changes(event.ours, "this commit")


def _hunk(hunk: Hunk, into: str) -> Iterator[Text]:
    for side, text, style in ((into, hunk.theirs, "cyan"), ("this commit", hunk.ours, "magenta")):
        yield Text(cleaned(f"  line {hunk.line}, {side}:{'' if text else ' nothing'}"), style="dim")
        yield from (Text(f"    {cleaned(line)}", style=style) for line in text[:SHOWN_LINES])
        if len(text) > SHOWN_LINES:
            yield Text(f"    … {len(text) - SHOWN_LINES} more lines", style="dim")


def _changes(found: tuple[Change, ...], side: str) -> Iterator[Text]:
    for one in found:
        yield Text(cleaned(f"  changed on {side} by {one.commit} {one.author}: {one.subject}"), style="dim")
