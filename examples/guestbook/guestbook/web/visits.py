"""How often the book was opened, counted in Redis where there is one: a number that nobody misses if it is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import redis

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEY = "guestbook:visits"
TIMEOUT_SECONDS = 0.5


class Counter(Protocol):
    """The part of a Redis client that counting needs."""

    def incr(self, name: str) -> int:
        """Add one and return the sum."""

    def get(self, name: str) -> bytes | None:
        """Return the value, None when there is none."""


class Visits:
    """A count of visits; None while Redis does not answer."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def add(self) -> int | None:
        """Count one visit and return how many there were."""
        return self._asked(lambda: self._counter.incr(KEY))

    def so_far(self) -> int | None:
        """Return how many there were."""
        return self._asked(lambda: int(self._counter.get(KEY) or 0))

    def _asked(self, ask: Callable[[], int]) -> int | None:
        try:
            return ask()
        except redis.RedisError:
            return None


def visits_from(environ: Mapping[str, str]) -> Visits | None:
    """Read REDIS_URL; without it nobody counts."""
    url = environ.get("REDIS_URL")
    if not url:
        return None
    times = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
    return Visits(redis.Redis.from_url(url, **times))
