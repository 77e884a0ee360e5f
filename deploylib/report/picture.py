"""A board drawn: one line for each image, the migration and each service; what scrolls past above them."""

from __future__ import annotations

import shlex
from functools import singledispatch
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploylib import events
from deploylib.report.console import Quoted, cleaned, elapsed, frame, shortened
from deploylib.report.failures import panel
from deploylib.report.wording import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploylib.report.board import Board, Line, Lines

MARKS = {
    "waiting": ("·", "dim"),
    "good": ("✓", "green"),
    "bad": ("✗", "bold red"),
    "back": ("↩", "yellow"),
    "left": ("-", "yellow"),
}
WORDS = {"waiting": "dim", "busy": "", "good": "green", "bad": "red", "back": "yellow", "left": "yellow"}
BARS = {"good": "green", "bad": "red", "back": "yellow", "left": "yellow"}
NAME_WIDTH, NARROW_NAME_WIDTH = 24, 14
BAR_WIDTH, NARROW_BAR_WIDTH = 20, 10
SERVING = {"previous": "back", "new": "good"}
NARROW = 96
TIME_WIDTH = 10


def drawn(board: Board, *, now: float, width: int) -> RenderableType:
    """Return the picture of *board* at the time *now* (seconds, as in the events), for *width* columns."""
    return Group(*_parts(board, now, width))


@singledispatch
def passing(event: events.Event) -> tuple[RenderableType, ...]:  # noqa: ARG001  # those below read it
    """Return what *event* leaves above the board, for good."""
    return ()


@passing.register
def _migration_started(event: events.MigrationStarted) -> tuple[RenderableType, ...]:
    return (Text.assemble(("Migration", "bold"), (f"  {cleaned(shlex.join(event.command))}", "dim")),)


@passing.register
def _migration_logged(event: events.MigrationLogged) -> tuple[RenderableType, ...]:
    return (Quoted(event.line),)


@passing.register
def _hook_started(event: events.HookStarted) -> tuple[RenderableType, ...]:
    return (Text.assemble((cleaned(event.hook), "bold"), (f"  {cleaned(shlex.join(event.command))}", "dim")),)


@passing.register
def _hook_logged(event: events.HookLogged) -> tuple[RenderableType, ...]:
    return (Quoted(event.line),)


@passing.register
def _noticed(event: events.Noticed) -> tuple[RenderableType, ...]:
    return (Text.assemble(("! ", "bold yellow"), cleaned(event.message)),)


@passing.register
def _rollout_failed(event: events.RolloutFailed) -> tuple[RenderableType, ...]:
    return (panel(event),)


def _parts(board: Board, now: float, width: int) -> Iterator[RenderableType]:
    name_width = min(
        NAME_WIDTH if width >= NARROW else NARROW_NAME_WIDTH,
        max(map(cell_len, _names(board)), default=0),
    )
    yield from _simple(board.steps, now, name_width)
    if board.images:
        yield Text("Images", style="bold")
        yield from _simple(board.images, now, name_width)
    yield from (_migration(one, now) for one in board.migration)
    if board.services:
        yield Text("Services", style="bold")
        yield from _services(board.services, now, name_width, width)
    if board.schedules:
        yield Text("Schedules", style="bold")
        yield from _simple(board.schedules, now, name_width)
    if board.serving:
        yield Text("What serves now", style="bold")
        yield from (_serving(one, name_width) for one in board.serving)
    yield from (Text.assemble(("✓ ", "green"), cleaned(one)) for one in board.closing)


def _names(board: Board) -> list[str]:
    lines = (*board.steps, *board.images, *board.services, *board.schedules)
    return [cleaned(one) for one in (*(one.name for one in lines), *(one.service for one in board.serving))]


def _serving(one: events.Serves, name_width: int) -> RenderableType:
    """Return what a service serves after a failure; a long one goes on below itself."""
    mark, style = MARKS[SERVING.get(one.state, "bad")]
    row = Table.grid(padding=(0, 2, 0, 0))
    row.add_column(width=name_width + 2, no_wrap=True)
    row.add_column(overflow="fold")
    name = Text.assemble((mark, style), " ", shortened(cleaned(one.service), name_width))
    row.add_row(name, Text(cleaned(serving(one).removeprefix(f"{one.service} "))))
    return row


def _simple(lines: Lines, now: float, name_width: int) -> Iterator[RenderableType]:
    """Yield images, or services that have no tasks to count: name, state, what it is at, how long."""
    state_width = max((len(one.state) for one in lines), default=0)
    for line in lines:
        row = _grid(name_width + 2, state_width, None, TIME_WIDTH)
        state, detail = Text(line.state, style=WORDS[line.mood]), Text(cleaned(line.detail), style="dim")
        row.add_row(_named(line, now, name_width), state, detail, _time(line, now))
        yield row


def _migration(line: Line, now: float) -> RenderableType:
    """Return how far the migration is; its command stands above its log."""
    row = _grid(None, TIME_WIDTH)
    row.add_row(Text.assemble(_mark(line, now), " ", (line.state, WORDS[line.mood])), _time(line, now))
    return row


def _services(lines: Lines, now: float, name_width: int, width: int) -> Iterator[RenderableType]:
    counts = {one.name: _counts(one) for one in lines}
    counts_width = max(one.cell_len for one in counts.values())
    bar_width = BAR_WIDTH if width >= NARROW else NARROW_BAR_WIDTH
    for line in lines:
        if line.standing is None:
            yield from _simple((line,), now, name_width)
            continue
        row = _grid(name_width + 2, bar_width, counts_width, None, TIME_WIDTH)
        name, state = _named(line, now, name_width), Text(cleaned(line.state), style=WORDS[line.mood])
        row.add_row(name, _bar(line, bar_width), counts[line.name], state, _time(line, now))
        yield row
        if line.detail and line.ended is None:
            below = Text(f"    {cleaned(line.detail)}", style="dim")
            below.truncate(width, overflow="ellipsis")
            yield below


def _grid(*widths: int | None) -> Table:
    """Return an empty row whose columns have these widths; None is what is left over. The last is the time."""
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    for width in widths[:-1]:
        grid.add_column(width=width, ratio=None if width else 1, no_wrap=True, overflow="ellipsis")
    grid.add_column(width=widths[-1], no_wrap=True, justify="right")
    return grid


def _named(line: Line, now: float, width: int) -> Text:
    return Text.assemble(_mark(line, now), " ", shortened(cleaned(line.name), width))


def _mark(line: Line, now: float) -> Text:
    return Text(*MARKS[line.mood]) if line.mood in MARKS else Text(frame(now), style="cyan")


def _time(line: Line, now: float) -> Text:
    if line.mood == "waiting" or line.ended == line.since:
        return Text()
    return Text(elapsed(max(0.0, (now if line.ended is None else line.ended) - line.since)), style="dim")


def _bar(line: Line, width: int) -> Text:
    """Return how many of the wanted tasks run; the bar of a finished service keeps what it had reached."""
    standing = line.standing
    if standing is None:
        return Text()
    share = min(1.0, standing.running / standing.desired) if standing.desired else 1.0
    full = round(share * width)
    return Text.assemble(("━" * full, BARS.get(line.mood, "cyan")), ("─" * (width - full), "dim"))


def _counts(line: Line) -> Text:
    standing = line.standing
    if standing is None:
        return Text()
    counts = Text(f"{standing.running}/{standing.desired} new")
    if standing.old:
        counts.append(f", {standing.old} old")
    if standing.failed:
        counts.append(f", {standing.failed} failed", style="red")
    return counts
