from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from invoke.collection import Collection
from invoke.program import Program
from invoke.tasks import Task, task

from deploylib import errors
from deploylib.command import command
from deploylib.errors import AwsError, ConfigError, DeployError, ProcessError, RolledBackError

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
LEAVES = {
    "ConfigError": 2,
    "ToolMissingError": 2,
    "ContractError": 2,
    "RefusedError": 3,
    "ImageError": 4,
    "MigrationError": 5,
    "RolledBackError": 6,
    "NotRestoredError": 7,
    "SupersededError": 8,
    "OutdatedError": 9,
    "AwsError": 1,
    "TerraformError": 1,
    "TaskError": 1,
}
OWN_CODE = {"CommandError", "ProcessError"}  # a command's own is passed on; another program's is not


def inv(body: Callable[..., Any], *arguments: str) -> int:
    """Run *body* as the task `deploy` through Invoke, and return the exit code."""
    program = Program(namespace=Collection(deploy=task(body)))
    try:
        program.run(["inv", "deploy", *arguments])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def failing(error: BaseException) -> Callable[..., None]:
    @command
    def deploy(c: Any, output: str = "text") -> None:
        raise error

    return deploy


def script(source: str, *, unbuffered: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", source],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("name", "code"), LEAVES.items())
def test_each_error_ends_with_its_exit_code(name: str, code: int) -> None:
    assert inv(failing(getattr(errors, name)("it failed"))) == code


def test_every_error_is_in_the_table_of_exit_codes() -> None:
    assert {one.__name__ for one in DeployError.__subclasses__()} == {*LEAVES, *OWN_CODE}


def test_a_failed_program_ends_with_one_whatever_its_own_exit_code() -> None:
    assert inv(failing(ProcessError("docker", 125, "no space left"))) == 1


def test_an_error_is_printed_once_on_standard_error_with_its_hint(capsys: pytest.CaptureFixture[str]) -> None:
    inv(failing(ConfigError("no environment 'stage'", hint="inv env.list")))
    said = capsys.readouterr()
    assert said.err == "error: no environment 'stage'\nhint: inv env.list\n"
    assert said.out == ""


def test_an_error_without_a_hint_has_no_empty_line(capsys: pytest.CaptureFixture[str]) -> None:
    inv(failing(ConfigError("no environment 'stage'")))
    assert capsys.readouterr().err == "error: no environment 'stage'\n"


def test_notes_stand_between_the_error_and_its_hint(capsys: pytest.CaptureFixture[str]) -> None:
    error = AwsError("throttled", hint="try again")
    error.add_note("the rollout of web goes on in ECS")
    inv(failing(error))
    assert capsys.readouterr().err == "error: throttled\nnote: the rollout of web goes on in ECS\nhint: try again\n"


def test_ctrl_c_ends_with_130_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert inv(failing(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_ctrl_c_says_what_goes_on_without_us(capsys: pytest.CaptureFixture[str]) -> None:
    interrupt = KeyboardInterrupt()
    interrupt.add_note("the rollout of web goes on in ECS")
    assert inv(failing(interrupt)) == 130
    assert capsys.readouterr().err == "interrupted: the rollout of web goes on in ECS\n"


def test_json_output_ends_with_the_failure_as_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    code = inv(failing(RolledBackError("web: rolled back", hint="correct it")), "--output", "json")
    said = capsys.readouterr()
    assert code == 6
    assert said.err.startswith("error: web: rolled back")
    assert json.loads(said.out) == {
        "event": "Failed",
        "error": "RolledBackError",
        "exit_code": 6,
        "message": "web: rolled back",
        "notes": [],
        "hint": "correct it",
    }


def test_json_output_tells_of_ctrl_c_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert inv(failing(KeyboardInterrupt()), "--output=json") == 130
    assert json.loads(capsys.readouterr().out)["message"] == "interrupted"


def test_an_unknown_output_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert inv(failing(KeyboardInterrupt()), "--output=yaml") == 2
    assert "'yaml'" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        inv(failing(ZeroDivisionError("a bug")))


def test_a_broken_pipe_that_is_not_ours_is_a_bug() -> None:
    with pytest.raises(BrokenPipeError):
        inv(failing(BrokenPipeError("some other pipe")))


def test_the_value_of_a_task_is_returned() -> None:
    @command
    def add(c: Any, first: int, second: int = 2) -> int:
        return first + second

    assert add(None, 1) == 3
    assert add(None, 1, second=5) == 6


def test_invoke_reads_the_signature_and_the_docstring_through_the_wrapper() -> None:
    @command
    def deploy(c: Any, env: str = "", *, dry_run: bool = False) -> None:
        """Release the current commit."""

    wrapped = task(deploy)
    assert isinstance(wrapped, Task)
    assert [argument.name for argument in wrapped.get_arguments()] == ["env", "dry_run"]
    assert wrapped.__doc__ == "Release the current commit."


def test_the_word_error_is_red_only_on_a_terminal_without_no_color() -> None:
    source = (
        "import pty, os, sys\n"
        "from invoke.exceptions import Exit\n"
        "from deploylib.command import command\n"
        "from deploylib.errors import ConfigError\n"
        "@command\n"
        "def fail(c):\n"
        "    raise ConfigError('no')\n"
        "def text():\n"
        "    try:\n"
        "        fail(None)\n"
        "    except Exit as end:\n"
        "        return end.message\n"
        "os.environ.pop('NO_COLOR', None)\n"
        "os.environ['TERM'] = 'xterm'\n"
        "sys.stderr = open(pty.openpty()[1], 'w')\n"
        "print(repr(text()))\n"
        "os.environ['NO_COLOR'] = '1'\n"
        "print(repr(text()))\n"
    )
    coloured, plain = script(source).communicate()[0].splitlines()
    assert "\\x1b[1;31merror:" in coloured
    assert plain == "'error: no'"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_makes_no_noise_and_no_success(unbuffered: str) -> None:
    source = (
        "import sys\n"
        "from invoke import Collection, Program, task\n"
        "from deploylib.command import command\n"
        "@task\n"
        "@command\n"
        "def show(c):\n"
        "    for number in range(200_000):\n"
        "        print(number)\n"
        "Program(namespace=Collection(show)).run(['inv', 'show'])\n"
    )
    program = script(source, unbuffered=unbuffered)
    assert program.stdout is not None
    program.stdout.readline()
    program.stdout.close()
    program.stdout = None
    assert program.communicate()[1] == ""
    assert program.returncode == 1


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_the_exit_code_survives_a_reader_that_goes_away(unbuffered: str) -> None:
    source = (
        "import sys\n"
        "from invoke import Collection, Program, task\n"
        "from deploylib.command import command\n"
        "from deploylib.errors import RolledBackError\n"
        "@task\n"
        "@command\n"
        "def deploy(c, output='text'):\n"
        "    sys.stdin.readline()\n"
        "    raise RolledBackError('web: rolled back')\n"
        "Program(namespace=Collection(deploy)).run(['inv', 'deploy', '--output', 'json'])\n"
    )
    program = script(source, unbuffered=unbuffered)
    assert program.stdout is not None
    program.stdout.close()
    program.stdout = None
    assert program.communicate("\n")[1] == "error: web: rolled back\n"
    assert program.returncode == 6


def test_importing_the_wrapper_and_the_reports_loads_nothing_heavy() -> None:
    source = (
        "import sys, deploylib.command, deploylib.report\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'rich', 'boto3', 'botocore', 'pydantic'}))\n"
    )
    assert script(source).communicate()[0] == "[]\n"


def test_a_cancelled_ci_job_tidies_up_as_ctrl_c_does() -> None:
    script = (
        "import os, signal\n"
        "from deploylib.command import command\n"
        "@command\n"
        "def task(c):\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        signal.pause()\n"
        "    finally:\n"
        "        print('tidied', flush=True)\n"
        "try:\n"
        "    task(None)\n"
        "except BaseException as error:\n"
        "    print(error.code, flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["tidied", "130"]
