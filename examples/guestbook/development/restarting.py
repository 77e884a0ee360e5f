"""`python development/restarting.py MODULE`: run a module, and start it anew when a Python file here changes."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_SECONDS = 1.0


def snapshot(root: Path) -> dict[Path, int]:
    """Return when each Python file under *root* was last changed."""
    return {path: path.stat().st_mtime_ns for path in root.rglob("*.py") if path.exists()}


def run(argv: tuple[str, ...], root: Path, wait: Callable[[float], bool]) -> int:
    """Keep *argv* running until *wait* says that it is time to stop; return its last exit code.

    One that ended by itself stays ended until a file changes: who edits sees its traceback once.
    """
    while True:
        seen, program = snapshot(root), subprocess.Popen(argv)
        stopped = wait(LOOK_SECONDS)
        while not stopped and snapshot(root) == seen:
            stopped = wait(LOOK_SECONDS)
        program.terminate()
        code = program.wait()
        if stopped:
            return code


def main() -> int:
    """Run the module that the command line names."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return run((sys.executable, "-m", *sys.argv[1:]), Path("guestbook"), stop.wait)


if __name__ == "__main__":
    sys.exit(main())
