from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

import pytest

from deploylib import report
from deploylib.config import Account, App, Environment, Images, RoleImage
from deploylib.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


def environment(*, protected: bool = False) -> Environment:
    return Environment(
        name="prd",
        root=Path(),
        app=App(name="guestbook", path="."),
        account=Account(id="123456789012", region="ap-northeast-1"),
        images=Images(roles={"web": RoleImage(dockerfile="Dockerfile")}),
        protected=protected,
    )


@pytest.fixture
def ask(screen: Callable[..., Any]) -> Callable[..., bool]:
    def answered(answers: io.StringIO, *, protected: bool = False, yes: bool = False, confirm: str = "") -> bool:
        return report.confirmed(
            environment(protected=protected),
            "Deploy to prd",
            yes=yes,
            confirm=confirm,
            answers=answers,
            console=screen().console,
        )

    return answered


@pytest.mark.parametrize("typed", ["y\n", "Y\n", "yes\n", " yes \n"])
def test_yes_is_agreement(typed: str, ask: Callable[..., bool]) -> None:
    assert ask(Terminal(typed))


@pytest.mark.parametrize("typed", ["n\n", "\n", "", "prd\n", "yesterday\n"])
def test_anything_else_is_a_refusal(typed: str, ask: Callable[..., bool]) -> None:
    with pytest.raises(RefusedError, match="nothing was changed"):
        ask(Terminal(typed))


def test_the_flag_answers_without_a_question(ask: Callable[..., bool]) -> None:
    assert ask(io.StringIO(), yes=True)


def test_without_a_terminal_and_without_the_flag_it_is_refused_and_the_flag_is_named(ask: Callable[..., bool]) -> None:
    with pytest.raises(RefusedError) as refused:
        ask(io.StringIO("y\n"))
    assert refused.value.hint == "add --yes"


def test_a_protected_environment_wants_its_name_typed(ask: Callable[..., bool]) -> None:
    assert ask(Terminal("prd\n"), protected=True)


@pytest.mark.parametrize("typed", ["y\n", "yes\n", "PRD\n", "prod\n", "\n", ""])
def test_a_protected_environment_takes_nothing_but_its_name(typed: str, ask: Callable[..., bool]) -> None:
    with pytest.raises(RefusedError):
        ask(Terminal(typed), protected=True)


def test_a_protected_environment_takes_yes_together_with_its_name(ask: Callable[..., bool]) -> None:
    assert ask(io.StringIO(), protected=True, yes=True, confirm="prd")


@pytest.mark.parametrize("answers", [io.StringIO(), Terminal("prd\n")])
def test_yes_alone_does_not_confirm_a_protected_environment(answers: io.StringIO, ask: Callable[..., bool]) -> None:
    with pytest.raises(RefusedError) as refused:
        ask(answers, protected=True, yes=True)
    assert refused.value.hint == "add --yes --confirm prd"


def test_a_protected_environment_without_a_terminal_names_both_flags(ask: Callable[..., bool]) -> None:
    with pytest.raises(RefusedError) as refused:
        ask(io.StringIO(), protected=True)
    assert refused.value.hint == "add --yes --confirm prd"


@pytest.mark.parametrize("protected", [True, False])
def test_the_name_of_another_environment_is_refused(
    protected: bool,  # noqa: FBT001  # a parameter of the case
    ask: Callable[..., bool],
) -> None:
    with pytest.raises(RefusedError, match="'stg', but this is prd"):
        ask(Terminal("prd\n"), protected=protected, yes=True, confirm="stg")


def test_ctrl_c_at_the_question_leaves_the_cursor_on_a_new_line(screen: Callable[..., Any]) -> None:
    class Interrupting:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            raise KeyboardInterrupt

    page = screen()
    with pytest.raises(KeyboardInterrupt):
        report.confirmed(environment(), "Deploy", answers=cast("TextIO", Interrupting()), console=page.console)
    assert page.text == "Deploy? [y/N] \n"


def test_the_question_says_what_to_type(screen: Callable[..., Any]) -> None:
    page = screen()
    report.confirmed(environment(protected=True), "Deploy", answers=Terminal("prd\n"), console=page.console)
    assert page.text == "Deploy? [type prd to go on] "
