"""What a Ctrl-C means is asked on a terminal, and nowhere else; the generator gets the answer."""

from __future__ import annotations

import io
import os
import pty
import re
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import events, report
from deploylib.report import console
from deploylib.report.interruption import asked

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
QUESTION = events.Question(services=("web", "job"))


class Screen(io.StringIO):
    """What is printed, to somebody who types a line each time that something is asked."""

    def __init__(self, typing: int) -> None:
        super().__init__()
        self.typing, self.lines = typing, list[str]()

    def write(self, text: str, /) -> int:
        if "rollback? " in text and self.lines:
            os.write(self.typing, f"{self.lines.pop(0)}\n".encode())
        return super().write(text)


class Terminal:
    """A pseudo-terminal at which somebody sits."""

    def __init__(self) -> None:
        self._typing, there = pty.openpty()
        self.answers = os.fdopen(there, "r", encoding="utf-8")
        self.screen = Screen(self._typing)
        self.console = console.page(self.screen, width=80, terminal=True)

    @property
    def lines(self) -> list[str]:
        return ESCAPE.sub("", self.screen.getvalue()).splitlines()

    def types(self, *lines: str) -> None:
        """Type one of these whenever something is asked."""
        self.screen.lines += lines

    def types_ahead(self, line: str) -> None:
        os.write(self._typing, f"{line}\n".encode())

    def close(self) -> None:
        self.answers.close()
        os.close(self._typing)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        (("w",), "wait"),
        (("wait",), "wait"),
        (("D",), "detach"),
        (("r",), "rollback"),
        (("roll",), "rollback"),
        (("rx", "", "detach"), "detach"),
        (("x", "y", "z", "w"), None),
    ],
)
def test_the_answer_is_a_word_or_its_beginning(typed: tuple[str, ...], answer: str | None, terminal: Terminal) -> None:
    terminal.types(*typed)
    assert asked(QUESTION, answers=terminal.answers, console=terminal.console) == answer


def test_the_question_says_what_is_under_way_and_what_each_answer_does(terminal: Terminal) -> None:
    terminal.types("w")
    asked(QUESTION, answers=terminal.answers, console=terminal.console)
    assert "Interrupted while under way: web, job" in terminal.lines
    for word in ("wait", "detach", "rollback"):
        assert any(line.split()[:1] == [word] for line in terminal.lines)


def test_nobody_who_answers_in_time_is_as_nobody_there(terminal: Terminal) -> None:
    assert asked(QUESTION, answers=terminal.answers, console=terminal.console, limit_seconds=0.0) is None
    assert terminal.lines[-2:] == [
        "wait, detach or rollback? ",
        "no answer: what the environment's on_interrupt says",
    ]


def test_what_was_typed_before_the_question_is_no_answer(terminal: Terminal) -> None:
    terminal.types_ahead("rollback")
    terminal.types("wait")
    assert asked(QUESTION, answers=terminal.answers, console=terminal.console) == "wait"


def test_who_may_not_be_asked_is_not(terminal: Terminal) -> None:
    silent = events.Question(services=("web",), may_ask=False)
    assert asked(silent, answers=terminal.answers, console=terminal.console) is None
    assert terminal.lines == []


def test_nobody_is_asked_where_no_terminal_is(terminal: Terminal, screen: Callable[..., Any]) -> None:
    assert asked(QUESTION, answers=io.StringIO("w\n"), console=terminal.console) is None
    assert asked(QUESTION, answers=terminal.answers, console=screen().console) is None


def asking(answers: list[Any]) -> Generator[events.Event, str | None, None]:
    yield events.RolloutStarted(service="web", revision="arn/web:13", deployment="d", desired=2)
    answers.append((yield QUESTION))
    answers.append((yield events.Noticed(message="went on")))


@pytest.mark.parametrize("terminal_shown", [True, False])
def test_the_answer_goes_into_the_generator_once(
    terminal_shown: bool,  # noqa: FBT001  # a parameter of the case
    screen: Callable[..., Any],
) -> None:
    answers: list[Any] = []
    page = screen(terminal=terminal_shown)
    report.follow(asking(answers), console=page.console, ask=lambda _: "rollback")
    assert answers == ["rollback", None]
    assert "went on" in page.text


def test_a_machine_is_not_asked(capsys: pytest.CaptureFixture[str]) -> None:
    answers: list[Any] = []
    report.follow(asking(answers), output="json", ask=lambda _: "rollback")
    assert answers == [None, None]
    assert '"event": "Question"' in capsys.readouterr().out


def test_the_board_waits_while_somebody_is_asked_and_comes_back(screen: Callable[..., Any]) -> None:
    page = screen(terminal=True)
    shown: list[str] = []

    def ask(question: events.Question) -> str:
        shown.append(page.text)
        page.console.print("the question")
        return "wait"

    report.follow(asking([]), console=page.console, ask=ask)
    assert "0/2 new" in shown[0]
    assert page.file.getvalue().count("\x1b[?25h") == 2  # the cursor is there to answer, and at the end
    afterwards = page.file.getvalue().partition("the question\n")[2]
    assert "\x1b[1A" not in afterwards.partition("0/2 new")[0]  # it is drawn below, not over what was said


def test_another_ctrl_c_at_the_question_reaches_the_generator(screen: Callable[..., Any]) -> None:
    def happening() -> Generator[events.Event, str | None, str]:
        try:
            yield QUESTION
        except KeyboardInterrupt:
            yield events.Noticed(message="leaving it to ECS")
        return "left"

    def ask(question: events.Question) -> str:
        raise KeyboardInterrupt

    page = screen(terminal=True)
    assert report.follow(happening(), console=page.console, ask=ask) == "left"
    assert "leaving it to ECS" in page.text
