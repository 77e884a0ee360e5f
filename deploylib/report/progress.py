"""A deploy while it happens: a moving board on a terminal, plain lines in a log, JSON lines for a machine.

The board is redrawn by a thread of its own, at most eight times a second, because the events come from a generator
that sleeps between two looks at AWS. Only that thread prints; the main thread swaps one immutable state for the next.
"""

from __future__ import annotations

import contextlib
import inspect
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from deploylib import events, secrecy
from deploylib.report import board, interruption, lines, picture, sentences, wording
from deploylib.report.console import FRAMES_PER_SECOND, cleaned, results
from deploylib.report.failures import body

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from contextlib import AbstractContextManager

    from rich.console import Console, ConsoleOptions, RenderResult

    from deploylib.clock import Clock

T = TypeVar("T")

TIME_WIDTH = 8
MARGIN = TIME_WIDTH + 2
ECHO_WIDTH = 3  # a terminal echoes Ctrl-C as ^C behind the last line; were that line full, the board would slip


class Show(Protocol):
    """Show one event."""

    def __call__(self, event: events.Event, /) -> str | None:
        """Show it; return the answer if it is a question, and somebody gave one."""


class Ask(Protocol):
    """Ask what a Ctrl-C shall mean."""

    def __call__(self, question: events.Question, /) -> str | None:
        """Return the answer; None when there is nobody to give one."""


def follow(
    happening: Generator[events.Event, Any, T],
    *,
    output: str = "text",
    console: Console | None = None,
    clock: Clock = time,
    ask: Ask = interruption.asked,
) -> T:
    """Show each event of *happening* as it comes, and return what the generator returns.

    A question is put to whoever sits at the terminal; the answer is sent into the generator. What that raises is
    raised again after the display was closed. Events without a time get one.
    """
    started = clock.monotonic()
    with _display(output, console, clock, ask) as show:
        return _drained(happening, lambda event: show(_shown(event, clock.monotonic() - started)))


def transcript(
    happening: Iterator[events.Event], *, until_seconds: float | None = None, width: int = 100
) -> RenderableType:
    """Return what a terminal shows after *happening* (recorded events), or in the midst of it."""
    state, above, now = board.Board(), list[RenderableType](), 0.0
    for event in happening:
        if until_seconds is not None and event.at > until_seconds:
            return Group(*above, picture.drawn(state, now=until_seconds, width=width))
        state, passed = _next(state, event, width)
        above += passed
        now = event.at
    return Group(*above, picture.drawn(board.closed(state, now), now=now, width=width))


def _drained(happening: Generator[events.Event, Any, T], show: Show) -> T:
    """Run the generator to its end; what interrupts the showing is raised inside it, where it is known what to do."""
    interrupt: BaseException | None = None
    answer: str | None = None
    while True:
        try:
            while True:  # within the `try`: a Ctrl-C may come between any two of these
                event = happening.throw(interrupt) if interrupt else happening.send(answer)
                interrupt = answer = None
                answer = show(event)
        except StopIteration as end:
            value: T = end.value
            return value
        except BaseException as error:
            if inspect.getgeneratorstate(happening) == inspect.GEN_CLOSED:
                raise
            interrupt = error


def _shown(event: events.Event, seconds: float) -> events.Event:
    """Return *event* without secrets, and with a time."""
    event = secrecy.without_secrets(event)
    return event if event.at else replace(event, at=round(seconds, 3))


def _display(output: str, console: Console | None, clock: Clock, ask: Ask) -> AbstractContextManager[Show]:
    if output == "json":
        return contextlib.nullcontext(_written)
    console = console or results()
    console.line()  # apart from the plan
    return _Moving(console, clock, ask) if console.is_interactive else contextlib.nullcontext(_Plain(console, ask))


def _written(event: events.Event) -> None:
    """Write *event* as a JSON line; a machine is asked nothing."""
    lines.write(lines.document(event))


def _next(state: board.Board, event: events.Event, width: int) -> tuple[board.Board, list[RenderableType]]:
    """Return the board after *event*, and what goes above it; what is finished goes there first."""
    passed = list(picture.passing(event))
    if passed:
        finished, state = board.settled(state)
        passed = [*([picture.drawn(finished, now=event.at, width=width)] if finished != board.Board() else []), *passed]
    return board.after(event, state), passed


class _Plain:
    """Lines with the seconds in front, one for each change."""

    def __init__(self, console: Console, ask: Ask) -> None:
        self._console = console
        self._ask = ask
        self._told: dict[tuple[str, str], str] = {}

    def __call__(self, event: events.Event) -> str | None:
        for text in self._texts(event):
            if text:
                self._print(text, event.at)
        if isinstance(event, events.RolloutFailed):
            self._detail(event)
        return self._ask(event) if isinstance(event, events.Question) else None

    def _texts(self, event: events.Event) -> Iterable[str]:
        match event:
            case events.Progressed():
                return self._changes(event)
            case events.Concluded():
                return (event.verdict, *map(wording.serving, event.services))
            case _:
                return (sentences.sentence(event),)

    def _changes(self, event: events.Progressed) -> Iterator[str]:
        for one in event.services:
            message = wording.said(one)
            for kind, text in (("standing", sentences.standing(one)), ("message", f"{one.service}: {message}")):
                if text and (message or kind == "standing") and self._told.get((one.service, kind)) != text:
                    self._told[one.service, kind] = text
                    yield text

    def _print(self, text: str, at: float) -> None:
        width = max(1, self._console.width - MARGIN)
        for index, part in enumerate(Text(cleaned(text)).wrap(self._console, width, overflow="fold", no_wrap=False)):
            time_shown = f"{at:.1f}s" if index == 0 else ""
            self._console.out(f"{time_shown:>{TIME_WIDTH}}  {part.plain}".rstrip(), highlight=False)

    def _detail(self, event: events.RolloutFailed) -> None:
        options = self._console.options.update_width(max(1, self._console.width - MARGIN))
        for line in self._console.render_lines(Group(*body(event)), options, pad=False):
            text = "".join(segment.text for segment in line)
            self._console.out(f"{'':{MARGIN}}{text}".rstrip(), highlight=False)


class _Moving:
    """The board at the bottom of a terminal, and what passes by above it."""

    def __init__(self, console: Console, clock: Clock, ask: Ask) -> None:
        self._console = console
        self._clock = clock
        self._ask = ask
        self._started = clock.monotonic()
        self._state = board.Board()
        self._above: list[RenderableType] = []
        self._lock = threading.Lock()
        self._drawing = threading.Lock()
        self._over = threading.Event()
        self._painter = threading.Thread(target=self._paint, name="display", daemon=True)
        self._live = self._begun()

    def __enter__(self) -> Show:
        self._live.start()
        self._painter.start()
        return self._show

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        try:
            self._over.set()
            self._painter.join()
            self._state = board.closed(self._state, self._seconds(), error)
            self._flush()
        finally:
            self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        options = options.update_width(self._width())
        shown = self._state if self._over.is_set() else board.fitting(self._state, console.height)
        yield from console.render(picture.drawn(shown, now=self._seconds(), width=options.max_width), options)

    def _show(self, event: events.Event) -> str | None:
        self._take(event)
        if not isinstance(event, events.Question):
            return None
        with self._paused():
            return self._ask(event)

    def _take(self, event: events.Event) -> None:
        state, passed = _next(self._state, event, self._width())
        with self._lock:
            self._state = state
            self._above += passed

    @contextlib.contextmanager
    def _paused(self) -> Iterator[None]:
        """Leave the board as it is, and draw it anew below whatever is said in between."""
        self._flush()
        with self._drawing:
            self._live.stop()
            try:
                yield
            finally:
                self._live = self._begun()  # the same one would draw over what was said
                self._live.start()

    def _begun(self) -> Live:
        return Live(self, console=self._console, auto_refresh=False)

    def _width(self) -> int:
        return max(1, self._console.width - ECHO_WIDTH)

    def _seconds(self) -> float:
        return self._clock.monotonic() - self._started

    def _paint(self) -> None:
        while not self._over.wait(1 / FRAMES_PER_SECOND):
            self._flush()

    def _flush(self) -> None:
        """Print what has passed by since the last time, and draw the board anew below it."""
        with self._drawing:
            with self._lock:
                above, self._above = self._above, []
            if above:
                self._console.print(Group(*above), width=self._width())
            else:
                self._live.refresh()
