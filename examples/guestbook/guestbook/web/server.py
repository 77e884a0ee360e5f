"""gunicorn's settings, and a stop that loses no request.

A task is stopped by signals to all of its containers at once. nginx finishes the requests it has, and some of them
still have to reach this server: one may be waiting for the rest of a slow guest's form. But gunicorn closes its socket
as soon as it is told to stop. So the signal is held back while nginx has connections. The two containers share a
network namespace: the kernel's tables show them.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

NGINX_PORT = 8080
LOOK_SECONDS = 0.05
HOLD_SECONDS = 10.0
ESTABLISHED = "01"

wsgi_app = "guestbook.web.wsgi:application"
bind = "127.0.0.1:8000"
worker_class = "gthread"
threads = 16
keepalive = 0  # nginx opens a connection for each request: no idle one can close under a request
preload_app = True  # an application that cannot start ends the container at once, with its own exit code
graceful_timeout = 20
worker_tmp_dir = "/dev/shm"  # noqa: S108  gunicorn's heartbeat file; a disk could block it
control_socket_disable = True
loglevel = "warning"


def when_ready(arbiter: Any) -> None:
    """Take over SIGTERM once gunicorn has set its own handlers."""

    def stop() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        arbiter.signal(signal.SIGTERM, None)

    held = HeldStop(stop, is_busy=nginx_is_busy, monotonic=time.monotonic)

    def hold(_signum: int, _frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS, LOOK_SECONDS)
        held.ask()

    signal.signal(signal.SIGALRM, lambda _signum, _frame: held.look())
    signal.signal(signal.SIGTERM, hold)


class HeldStop:
    """A stop that waits until nginx is idle, ten seconds at most; asked for twice, it waits no longer."""

    def __init__(
        self, stop: Callable[[], None], *, is_busy: Callable[[], bool], monotonic: Callable[[], float]
    ) -> None:
        self._stop = stop
        self._is_busy = is_busy
        self._monotonic = monotonic
        self._asked_at: float | None = None

    def ask(self) -> None:
        """Ask for the stop."""
        if self._asked_at is None:
            self._asked_at = self._monotonic()
        else:
            self._stop()

    def look(self) -> None:
        """Stop if it is time."""
        if self._asked_at is not None and (not self._is_busy() or self._waited() > HOLD_SECONDS):
            self._stop()

    def _waited(self) -> float:
        return self._monotonic() - (self._asked_at or 0.0)


def nginx_is_busy() -> bool:
    """Tell whether anyone is connected to nginx."""
    tables = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
    return any(count_connections(table.read_text().splitlines(), NGINX_PORT) for table in tables if table.exists())


def count_connections(table: Iterable[str], port: int) -> int:
    """Count the established connections to a local port in a table of the kernel's, /proc/net/tcp."""
    rows = [line.split() for line in table]
    return sum(1 for row in rows if row[1].endswith(f":{port:04X}") and row[3] == ESTABLISHED)
