"""The worker's loop, without a database in sight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

POLL_SECONDS = 0.5
BEAT_SECONDS = 2.0
RECONNECT_SECONDS = 1.0


class DeskError(Exception):
    """The database is away, or has no schema yet. Both pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """An entry that was stamped just now."""

    entry_id: int
    words: int


class Desk(Protocol):
    """Where the worker finds entries and says that it is alive."""

    def stamp_next(self) -> Stamp | None:
        """Stamp the oldest entry without a stamp; None when there is none."""

    def beat(self) -> None:
        """Say that this worker is alive."""

    def leave(self) -> None:
        """Say that this worker stopped on purpose."""


class Stop(Protocol):
    """The part of `threading.Event` that the loop needs."""

    def is_set(self) -> bool:
        """Tell whether the worker was asked to stop."""

    def wait(self, timeout: float) -> bool:
        """Wait, but not after it was asked to stop."""


def count_words(text: str) -> int:
    """Count what stands between spaces."""
    return len(text.split())


def work(
    open_desk: Callable[[], AbstractContextManager[Desk]],
    stop: Stop,
    *,
    say: Callable[[str], None],
    monotonic: Callable[[], float],
) -> None:
    """Stamp entries until asked to stop, whatever the database does meanwhile."""
    trouble = ""
    while not stop.is_set():
        try:
            with open_desk() as desk:
                desk.beat()
                trouble = ""
                say("at work")
                serve(desk, stop, say=say, monotonic=monotonic)
        except DeskError as error:
            if str(error) != trouble:  # once, not every second
                say(f"waiting: {error}")
            trouble = str(error)
            stop.wait(RECONNECT_SECONDS)


def serve(desk: Desk, stop: Stop, *, say: Callable[[str], None], monotonic: Callable[[], float]) -> None:
    """Work at one open desk; an entry that was begun is finished before the worker leaves."""
    next_beat = monotonic() + BEAT_SECONDS
    while not stop.is_set():
        stamp = desk.stamp_next()
        if stamp:
            say(f"stamped entry {stamp.entry_id}: {stamp.words} words")
        if monotonic() >= next_beat:
            desk.beat()
            next_beat = monotonic() + BEAT_SECONDS
        if not stamp:
            stop.wait(POLL_SECONDS)
    desk.leave()
