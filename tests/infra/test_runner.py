from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from deploylib.errors import ToolMissingError
from deploylib.infra.diagnostics import CommandError
from deploylib.infra.runner import Flag, Terraform
from tests.infra.stand_in import error

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.infra.stand_in import StandIn


@pytest.mark.parametrize(
    ("run", "argv"),
    [
        (
            lambda terraform: terraform.init(backend_config=["b.tfbackend"]),
            ["init", "-input=false", "-backend-config=b.tfbackend", "-reconfigure", "-backend=true"],
        ),
        (
            lambda terraform: terraform.plan(out="p", var_file=["v.json"], destroy=None),
            ["plan", "-input=false", "-out=p", "-var-file=v.json", "-detailed-exitcode"],
        ),
        (
            lambda terraform: terraform.plan(out="p", destroy=Flag),
            ["plan", "-input=false", "-out=p", "-destroy", "-detailed-exitcode"],
        ),
        (
            lambda terraform: terraform.apply("p", skip_plan=True),
            ["apply", "-input=false", "-auto-approve=true", "p"],
        ),
        (lambda terraform: terraform.cmd("show", "p", json=Flag), ["show", "-json", "p"]),
        (lambda terraform: terraform.output(), ["output", "-json"]),
        (lambda terraform: terraform.cmd("force-unlock", "id", force=Flag), ["force-unlock", "-force", "id"]),
    ],
    ids=["init", "plan", "plan -destroy", "apply", "show", "output", "force-unlock"],
)
def test_a_command_line_has_what_was_asked_for_and_no_more(
    stand_in: StandIn, tmp_path: Path, run: Callable[[Terraform], Any], argv: list[str]
) -> None:
    run(stand_in.terraform(tmp_path))
    (call,) = stand_in.calls
    assert call["argv"][0] == argv[0]
    assert sorted(call["argv"][1:]) == sorted(argv[1:])
    assert call["argv"][-1] == argv[-1] or argv[-1].startswith("-")


def test_terraform_gets_the_given_variables_as_its_whole_environment(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.terraform(tmp_path).plan()
    (call,) = stand_in.calls
    ours = {name for name in call["env"] if not name.startswith(("LC_", "PYTHON", "__"))}  # what Python sets by itself
    assert ours == {"FAKE_TERRAFORM"}
    assert call["cwd"] == str(tmp_path)


def test_a_typing_error_is_no_terraform_command(stand_in: StandIn, tmp_path: Path) -> None:
    terraform = stand_in.terraform(tmp_path)
    assert not hasattr(terraform, "aplly")
    with pytest.raises(AttributeError, match="aplly"):
        terraform.aplly()
    assert stand_in.calls == []


def test_destroying_is_planned_first(stand_in: StandIn, tmp_path: Path) -> None:
    with pytest.raises(NotImplementedError, match="destroy=Flag"):
        stand_in.terraform(tmp_path).destroy()
    assert stand_in.calls == []


def test_a_local_state_is_not_even_read(stand_in: StandIn, tmp_path: Path) -> None:
    (tmp_path / "terraform.tfstate").write_text("this is no JSON")
    assert stand_in.terraform(tmp_path).plan()[0] == 0


def test_values_of_variables_never_get_into_a_file_of_the_library(stand_in: StandIn, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="variables file"):
        stand_in.terraform(tmp_path).plan(var={"password": "hunter2"})
    assert stand_in.calls == []


def test_what_a_streamed_command_prints_is_told_line_by_line_without_colours(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.answer(apply=[{"stdout": "\x1b[1mCreating\x1b[0m\ndone\n"}])
    told: list[str] = []
    stand_in.terraform(tmp_path, told.append).apply("p", skip_plan=True, streamed=True)
    assert told == ["Creating", "done"]


def test_a_terminal_gets_terraforms_colours(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.answer(apply=[{"stdout": "\x1b[1mCreating\x1b[0m\n"}])
    told: list[str] = []
    stand_in.terraform(tmp_path, told.append, colours=True).apply("p", skip_plan=True, streamed=True)
    assert told == ["\x1b[1mCreating\x1b[0m"]


def test_what_a_captured_command_prints_is_returned_and_not_told(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.answer(show=[{"stdout": "{}", "stderr": "\x1b[33mhm\x1b[0m"}])
    told: list[str] = []
    assert stand_in.terraform(tmp_path, told.append).cmd("show", "p", json=Flag) == (0, "{}", "hm")
    assert told == []


def test_an_unexpected_exit_code_is_an_error_with_terraforms_own_text(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.answer(plan=[error("Invalid index", "  on main.tf line 3:\n   3: nonsense")])
    with pytest.raises(CommandError) as caught:
        stand_in.terraform(tmp_path).plan()
    assert str(caught.value) == (
        "terraform plan ended with exit code 1\nError: Invalid index\n\n  on main.tf line 3:\n   3: nonsense"
    )


def test_an_expected_exit_code_is_none(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.answer(plan=[{"code": 2}])
    assert stand_in.terraform(tmp_path).plan(ok=(0, 2))[0] == 2


def test_a_missing_program_is_said_so(tmp_path: Path) -> None:
    terraform = Terraform(tmp_path, program=str(tmp_path / "nothing"), variables={}, line=print)
    with pytest.raises(ToolMissingError, match="nothing is not there"):
        terraform.plan()


def test_a_reader_that_went_away_does_not_stop_an_apply(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.answer(apply=[{"stdout": "one\ntwo\n"}])

    def closed(text: str) -> None:
        raise BrokenPipeError

    terraform = stand_in.terraform(tmp_path, closed)
    result: tuple[int, str, str] = terraform.apply("p", skip_plan=True, streamed=True)
    assert result == (0, "one\ntwo\n", "")


def test_an_error_of_our_own_stops_terraform_and_waits_for_it(stand_in: StandIn, tmp_path: Path) -> None:
    (tmp_path / "go").write_text("")  # a file, not a pipe: it goes on at once
    stand_in.answer(apply=[{"hold": str(tmp_path)}])

    def broken(text: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stand_in.terraform(tmp_path, broken).apply("p", skip_plan=True, streamed=True)
    assert not (tmp_path / "lock").exists()


def test_signal_handlers_are_as_before_after_a_run(stand_in: StandIn, tmp_path: Path) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    stand_in.terraform(tmp_path).plan()
    assert [signal.getsignal(number) for number in numbers] == before
