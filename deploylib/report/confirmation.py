"""The question before anything is written."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from rich.text import Text

from deploylib.errors import RefusedError
from deploylib.report.console import asides

if TYPE_CHECKING:
    from rich.console import Console

    from deploylib.config import Environment

YES = frozenset({"y", "yes"})


def confirmed(
    environment: Environment,
    question: str,
    *,
    yes: bool = False,
    confirm: str = "",
    answers: TextIO | None = None,
    console: Console | None = None,
) -> bool:
    """Return true once a person has agreed to *question* (such as `Deploy to stg`); otherwise raise `RefusedError`.

    *yes* answers it. A protected environment wants its name typed, or *yes* together with its name in *confirm*.
    The question goes to standard error, the answer comes from *answers* (standard input), which must be a terminal.
    """
    answers = answers or sys.stdin
    if confirm and confirm != environment.name:
        raise RefusedError(
            f"--confirm says {confirm!r}, but this is {environment.name}", hint=f"--confirm {environment.name}"
        )
    if yes and (confirm or not environment.protected):
        return True
    flags = f"--yes --confirm {environment.name}" if environment.protected else "--yes"
    if yes:
        raise RefusedError(f"{environment.name} is protected: --yes alone does not confirm it", hint=f"add {flags}")
    if not answers.isatty():
        raise RefusedError("nobody is there to ask: standard input is no terminal", hint=f"add {flags}")
    _ask(environment, question, answers, console or asides())
    return True


def _ask(environment: Environment, question: str, answers: TextIO, console: Console) -> None:
    """Ask once; anything but agreement is a refusal."""
    wanted = f"type {environment.name} to go on" if environment.protected else "y/N"
    console.print(Text.assemble((f"{question}?", "bold"), f" [{wanted}] "), end="")
    given = ""
    try:
        given = answers.readline()
    finally:
        if not given.endswith("\n"):
            console.print()  # Ctrl-C and Ctrl-D leave the cursor behind the question
    agreed = given.strip() == environment.name if environment.protected else given.strip().lower() in YES
    if not agreed:
        raise RefusedError("not confirmed; nothing was changed")
