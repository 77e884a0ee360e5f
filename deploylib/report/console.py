"""The terminal: results on standard output, questions and waiting on standard error, never wider than 100 columns.

Colours and movement are for terminals only. Text from outside (logs, reasons, names) is never read as markup, and
loses its escape sequences before it reaches the terminal.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import time
from typing import TYPE_CHECKING, TextIO

from rich import filesize
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleDimensions
from rich.live import Live
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import ConsoleOptions, RenderableType, RenderResult

    from deploylib.clock import Clock

WIDTH = 100
FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
FRAMES_PER_SECOND = 8
PATIENCE_SECONDS = 0.5
ESCAPES = re.compile(
    r"\x1b(?:"
    r"\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # operating system commands: titles, links
    r"|[PX^_][^\x1b]*(?:\x1b\\)?"  # other strings
    r"|\[[0-?]*[ -/]*[@-~]"  # colours, cursor movements
    r"|[ -/]*[0-~])"  # the rest
)
CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Page(Console):
    """A console at most 100 columns wide, whose reader may go away without ending what goes on."""

    @property
    def size(self) -> ConsoleDimensions:
        """Return the terminal's size now, capped."""
        found = super().size
        known = self.is_terminal or self._width is not None or "COLUMNS" in os.environ
        return ConsoleDimensions(min(WIDTH, found.width) if known else WIDTH, found.height)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size

    def on_broken_pipe(self) -> None:
        """Fall silent: a closed pipe must not stop a rollout half way."""
        self.quiet = True
        with contextlib.suppress(OSError, io.UnsupportedOperation):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.file.fileno())
            os.close(nowhere)


def page(file: TextIO, *, width: int | None = None, terminal: bool | None = None, record: bool = False) -> Page:
    """Return a console that writes to *file*; *terminal* says what it is when it cannot say so itself."""
    is_terminal = file.isatty() if terminal is None else terminal
    if isinstance(file, io.TextIOWrapper):
        file.reconfigure(errors="replace")
    return Page(
        file=file,
        width=width,
        height=None if width is None else 50,
        force_terminal=terminal,
        force_interactive=is_terminal and os.environ.get("TERM") != "dumb",
        markup=False,
        emoji=False,
        highlight=False,
        record=record,
    )


def results() -> Page:
    """Return the console for what a command is asked for."""
    return page(sys.stdout)


def asides() -> Page:
    """Return the console for what is not a result: questions, signs of life."""
    return page(sys.stderr)


def show(renderable: RenderableType, console: Console) -> None:
    """Print *renderable*; a file gets no blanks at the ends of its lines."""
    if console.is_terminal:
        console.print(renderable)
        return
    with console.capture() as captured:
        console.print(renderable)
    console.out("\n".join(line.rstrip() for line in captured.get().splitlines()), highlight=False)


def say(text: str, *, output: str = "text", console: Console | None = None) -> None:
    """Print one sentence, except to a machine."""
    if output == "text":
        show(Text(cleaned(text, keep_lines=True)), console or results())


@contextlib.contextmanager
def waiting(text: str, *, console: Console | None = None, clock: Clock = time) -> Iterator[None]:
    """Show on a terminal that something is going on, once it has taken half a second; leave nothing behind."""
    console = console or asides()
    if not console.is_interactive:
        yield
        return
    with Live(_Waiting(cleaned(text), clock), console=console, transient=True, refresh_per_second=FRAMES_PER_SECOND):
        yield


class _Waiting:
    """A spinner with a sentence and the seconds so far."""

    def __init__(self, text: str, clock: Clock) -> None:
        self._text = text
        self._clock = clock
        self._started = clock.monotonic()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        seconds = self._clock.monotonic() - self._started
        if seconds >= PATIENCE_SECONDS:
            line = Text.assemble((frame(seconds), "cyan"), " ", self._text, (f"  {elapsed(seconds)}", "dim"))
            line.truncate(options.max_width, overflow="ellipsis")
            yield line


def frame(seconds: float) -> str:
    """Return the spinner's picture at that time."""
    return FRAMES[int(seconds * FRAMES_PER_SECOND) % len(FRAMES)]


def elapsed(seconds: float) -> str:
    """Return a duration in a few characters: `4.2 s`, `38 s`, `3 min 05 s`."""
    if seconds < 9.95:  # noqa: PLR2004  # beyond that, tenths are noise
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def size(count: int) -> str:
    """Return a number of bytes in a few characters: `812 bytes`, `4.2 MB`."""
    return filesize.decimal(count)


def cleaned(text: str, *, keep_lines: bool = False) -> str:
    """Return *text* without anything that moves a cursor, colours, or hides text: it comes from outside.

    Of a line that was overwritten in place (progress bars end in a carriage return) the last state is kept.
    """
    lines = ESCAPES.sub("", text).replace("\r\n", "\n").split("\n")
    whole = [CONTROLS.sub("", line.rstrip("\r").rsplit("\r", 1)[-1].expandtabs(4)) for line in lines]
    return ("\n" if keep_lines else " ").join(whole)


def shortened(text: str, width: int) -> str:
    """Return *text* in at most *width* columns, cut in its middle: names often differ in their ends only."""
    if cell_len(text) <= width:
        return text
    head = max(1, (width - 1) * 2 // 3)
    tail = set_cell_size(text[::-1], max(0, width - 1 - head))[::-1]
    return f"{set_cell_size(text, head)}…{tail}"


class Quoted:
    """A line of somebody's log, marked as such; a long one goes on under its own beginning."""

    def __init__(self, line: str, *, indent: int = 2) -> None:
        self._line = line
        self._indent = indent

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(1, options.max_width - self._indent - 2)
        for part in Text(cleaned(self._line)).wrap(console, width, overflow="fold", no_wrap=False) or (Text(),):
            yield Text.assemble(" " * self._indent, ("│ ", "dim"), (part.plain.rstrip(), "dim"))
