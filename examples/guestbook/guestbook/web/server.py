"""gunicorn's settings, and a stop that loses no request.

A task is stopped by signals to all of its containers at once. nginx finishes the requests it has, and each of them
still has to reach this server: one may be waiting for the rest of a slow guest's form. gunicorn closes its socket as soon as it
is told to stop. So the signal is held back while nginx has connections; the two share a network namespace, where they are seen.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

NGINX_PORT = 8080
LOOK_SECONDS = 0.1
HOLD_SECONDS = 10.0
ESTABLISHED = "01"

wsgi_app = "guestbook.web.wsgi:application"
bind = "127.0.0.1:8000"
worker_class = "gthread"
threads = 8
keepalive = 0  # nginx opens a connection for each request: no idle one can close under a request
preload_app = True  # an application that cannot start ends the container at once, with its own exit code
graceful_timeout = 20
worker_tmp_dir = "/dev/shm"  # noqa: S108  gunicorn's heartbeat file; a disk could block it
control_socket_disable = True
loglevel = "warning"


def when_ready(arbiter: Any) -> None:
    """Take over SIGTERM once gunicorn has set its own handlers."""
    told_at = 0.0

    def stop() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        arbiter.signal(signal.SIGTERM, None)

    def hold(_signum: int, _frame: FrameType | None) -> None:
        nonlocal told_at
        if told_at:  # told twice: somebody is in a hurry
            stop()
        told_at = told_at or time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS, LOOK_SECONDS)

    def look(_signum: int, _frame: FrameType | None) -> None:
        if not nginx_is_busy() or time.monotonic() - told_at > HOLD_SECONDS:
            stop()

    signal.signal(signal.SIGALRM, look)
    signal.signal(signal.SIGTERM, hold)


def nginx_is_busy() -> bool:
    """Tell whether anyone is connected to nginx."""
    tables = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
    return any(count_connections(table.read_text().splitlines(), NGINX_PORT) for table in tables if table.exists())


def count_connections(table: Iterable[str], port: int) -> int:
    """Count the established connections to a local port in a table of the kernel's, /proc/net/tcp."""
    rows = [line.split() for line in table]
    return sum(1 for row in rows if row[1].endswith(f":{port:04X}") and row[3] == ESTABLISHED)
