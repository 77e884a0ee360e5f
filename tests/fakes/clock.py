"""A clock that moves only when somebody sleeps, and does on the way what was arranged for each moment."""

from __future__ import annotations

import datetime as dt
import heapq
import itertools
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCH = 1_700_000_000.0  # some day in 2023: whoever compares AWS's times with the machine's own clock is found out
PATIENCE_SECONDS = 7 * 24 * 3600.0


class FakeClock:
    """Time for the code under test and for the fakes. `naps` are the seconds of each sleep; `lock` is everybody's."""

    def __init__(self) -> None:
        self.naps: list[float] = []
        self._now = 0.0
        self._arranged: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self.lock = threading.RLock()

    def monotonic(self) -> float:
        return self._now

    def time(self) -> float:
        return EPOCH + self._now

    def sleep(self, seconds: float, /) -> None:
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self.naps.append(seconds)
        self.advance(seconds)

    def after(self, seconds: float, do: Callable[[], object]) -> None:
        """Arrange *do* for *seconds* from now. What it raises comes out of the sleep that reaches it (Ctrl-C)."""
        with self.lock:
            heapq.heappush(self._arranged, (self._now + seconds, next(self._order), do))

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass without counting it as a nap."""
        with self.lock:
            until = self._now + seconds
            assert until < PATIENCE_SECONDS, "a week has passed on the fake clock: this wait has no end"
            while self._arranged and self._arranged[0][0] <= until:
                at, _, do = heapq.heappop(self._arranged)
                self._now = max(self._now, at)
                do()
            self._now = max(self._now, until)

    def advance_until(self, reached: Callable[[], bool], *, at_most_seconds: float = 3600.0) -> float:
        """Let time pass until *reached*, a tenth of a second at a time; return the seconds that it took."""
        started = self._now
        while not reached():
            assert self._now - started < at_most_seconds, f"not reached within {at_most_seconds:g} s"
            self.advance(0.1)
        return self._now - started


class Ticking:
    """A clock that goes on while the code works and AWS answers, as every real one does."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    def monotonic(self) -> float:
        self._clock.advance(0.02)
        return self._clock.monotonic()

    def time(self) -> float:
        return self._clock.time()

    def sleep(self, seconds: float, /) -> None:
        self._clock.sleep(seconds)


def when(seconds: float) -> dt.datetime:
    """Return seconds since the epoch as boto3 returns a time."""
    return dt.datetime.fromtimestamp(seconds, tz=dt.UTC)


def interrupt() -> None:
    """What a person at the keyboard does: `clock.after(12, interrupt)`."""
    raise KeyboardInterrupt
