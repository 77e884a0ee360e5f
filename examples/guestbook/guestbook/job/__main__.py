"""`python -m guestbook.job`: work until SIGTERM."""

from __future__ import annotations

import os
import signal
import time
from functools import partial

from guestbook.database import database_from
from guestbook.job.desk import open_desk
from guestbook.job.worker import work
from guestbook.task import TaskReader, process_name

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class SignalStop:
    """Asks for the stop signals between two steps; they are blocked, so none interrupts a step."""

    def __init__(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        self._asked = False

    def is_set(self) -> bool:
        """Tell whether a stop signal has come."""
        return self.wait(0)

    def wait(self, timeout: float) -> bool:
        """Wait for a stop signal, but not for a second one."""
        if not self._asked:
            self._asked = signal.sigtimedwait(STOP_SIGNALS, timeout) is not None
        return self._asked


def main() -> None:
    """Start the worker named after its task."""
    stop = SignalStop()
    database = database_from(os.environ)
    task = TaskReader(os.environ)()
    name = process_name(task)
    say(f"worker {name} started, database {database.name} on {database.host}:{database.port}")
    desk = partial(open_desk, database, name=name, definition=task.definition if task else "")
    work(desk, stop, say=say, monotonic=time.monotonic)
    say("stopped")


def say(line: str) -> None:
    """Print a line of the log."""
    print(line, flush=True)  # noqa: T201  the log of a container is its standard output


if __name__ == "__main__":
    main()
