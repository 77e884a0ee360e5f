"""Stands in for Terraform: records how it is called, answers as the file that FAKE_TERRAFORM names says.

The file maps a command to its answers, one for each call (the last one is repeated): exit `code`, `stdout`, `stderr`.
An answer with `hold` behaves like an apply under way: it takes the lock `hold`/lock, says `holding`, and lives until
somebody writes into the pipe `hold`/go; then it releases the lock and says `released`. SIGINT makes it say
`interrupted` and still wait for the pipe, the second one makes it end at once, with the lock held and its own child,
which keeps the pipe `hold`/child open, alive.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

ORPHAN = "import signal, sys; pipe = open(sys.argv[1], 'w'); signal.pause()"


def main(argv: list[str]) -> NoReturn:
    scenario = Path(os.environ["FAKE_TERRAFORM"])
    command = argv[0]
    record = {"argv": argv, "env": dict(os.environ), "cwd": str(Path.cwd()), "files": _files(argv)}
    with scenario.with_suffix(".calls").open("a") as calls:
        calls.write(json.dumps(record) + "\n")
    made = [json.loads(line)["argv"][0] for line in scenario.with_suffix(".calls").read_text().splitlines()]
    answers = json.loads(scenario.read_text()).get(command, [{}])
    answer = answers[min(made.count(command), len(answers)) - 1]
    sys.stdout.write(answer.get("stdout", ""))
    sys.stderr.write(answer.get("stderr", ""))
    sys.stdout.flush()
    if "hold" in answer:
        _hold(Path(answer["hold"]))
    sys.exit(answer.get("code", 0))


def _files(argv: list[str]) -> dict[str, Any]:
    """Return mode and text of the files that the command line names: they are gone when a test looks."""
    named = [Path(word.rpartition("=")[2]) for word in argv]
    return {path.name: [oct(path.stat().st_mode & 0o777), path.read_text()] for path in named if path.is_file()}


def _hold(folder: Path) -> None:
    interrupts = 0

    def interrupted(*_: object) -> None:
        nonlocal interrupts
        interrupts += 1
        (folder / "interrupts").write_text(str(interrupts))
        if interrupts > 1:
            os._exit(1)
        os.write(1, b"interrupted\n")

    (folder / "lock").touch()
    signal.signal(signal.SIGINT, interrupted)
    if (folder / "child").exists():
        subprocess.Popen([sys.executable, "-c", ORPHAN, str(folder / "child")], stdout=subprocess.DEVNULL)
    os.write(1, b"holding\n")
    (folder / "go").read_text()
    (folder / "lock").unlink()
    os.write(1, b"released\n")
    sys.exit(1 if interrupts else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
