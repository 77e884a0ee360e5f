"""What Ctrl-C is tried on: applies through the runner. Arguments: folder, program, signals to ignore (A-B)."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from deploylib.infra.runner import SIGNALS, Terraform


def main(folder: str, program: str, ignored: str) -> None:
    for number in SIGNALS:
        default = signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN if number.name in ignored.split("-") else default)
    terraform = Terraform(
        Path(folder),
        program=program,
        variables=dict(os.environ),
        line=lambda text: print(text, flush=True),  # noqa: T201  # the test reads it
    )
    try:
        terraform.apply("plan", skip_plan=True, streamed=True)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(*sys.argv[1:])
