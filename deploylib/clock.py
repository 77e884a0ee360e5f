"""Time as a port: the standard library's `time` module is one."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """What a waiter needs of time; tests pass one whose sleep moves it forward."""

    def monotonic(self) -> float:
        """Return seconds since some fixed point."""

    def time(self) -> float:
        """Return seconds since the epoch."""

    def sleep(self, seconds: float, /) -> None:
        """Let *seconds* pass."""
