"""What a Ctrl-C in the midst of a rollout shall mean: asked where somebody is there to answer.

The rollout goes on in ECS while we ask, and our lease on the environment's lock runs: so the question has a time limit.
"""

from __future__ import annotations

import select
import sys
import termios
from typing import TYPE_CHECKING, Literal, TextIO

from rich.text import Text

from deploylib.report.console import asides, cleaned

if TYPE_CHECKING:
    from rich.console import Console

    from deploylib.events import Question

Answer = Literal["wait", "detach", "rollback"]

ANSWERS: dict[str, Answer] = {"w": "wait", "d": "detach", "r": "rollback"}
MEANINGS = {
    "wait": "go on watching",
    "detach": "stop watching, and leave the rollout to ECS",
    "rollback": "stop the rollout, and go back to the release before",
}
LIMIT_SECONDS = 20.0  # within what is left of a lease of a minute that is renewed each third of it


def asked(
    question: Question,
    *,
    answers: TextIO | None = None,
    console: Console | None = None,
    limit_seconds: float = LIMIT_SECONDS,
) -> Answer | None:
    """Return what a person wants; None when nobody may be asked, is there, or answers within *limit_seconds*.

    The question goes to standard error, the answer comes from *answers* (standard input); both must be terminals.
    """
    answers, console = answers or sys.stdin, console or asides()
    if not (question.may_ask and console.is_terminal and answers.isatty()):
        return None
    console.print(_text(question, limit_seconds))
    termios.tcflush(answers, termios.TCIFLUSH)  # what was typed before the question is no answer to it
    for _ in ANSWERS:  # as many chances as there are answers
        given = _typed(answers, console, limit_seconds)
        if given is None:
            console.print(Text("no answer: what the environment's on_interrupt says"))
            return None
        if answer := _meant(given):
            return answer
    return None


def _typed(answers: TextIO, console: Console, limit_seconds: float) -> str | None:
    """Ask, and return the line that was typed; the cursor is at the beginning of a line afterwards."""
    console.print(Text("wait, detach or rollback? ", style="bold"), end="")
    given = None
    try:
        given = _line(answers, limit_seconds)
    finally:
        if given is None:
            console.print()
    return given


def _text(question: Question, limit_seconds: float) -> Text:
    under_way = ", ".join(cleaned(one) for one in question.services) or "nothing"
    text = Text.assemble(("\nInterrupted", "bold yellow"), f" while under way: {under_way}\n")
    for word, meaning in MEANINGS.items():
        text.append_text(Text.assemble("  ", (word[0], "bold underline"), f"{word[1:]:<9}", (meaning, "dim"), "\n"))
    text.append(f"Another Ctrl-C detaches; without an answer in {limit_seconds:.0f} s on_interrupt decides.", "dim")
    return text


def _line(answers: TextIO, limit_seconds: float) -> str | None:
    """Return what was typed; None after *limit_seconds*, or when the terminal is gone."""
    ready, _, _ = select.select([answers], [], [], limit_seconds)
    return (answers.readline() or None) if ready else None


def _meant(given: str) -> Answer | None:
    """Return the answer that begins with what was typed."""
    word = given.strip().lower()
    answer = ANSWERS.get(word[:1])
    return answer if answer and answer.startswith(word) else None
