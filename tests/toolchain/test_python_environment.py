from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from deploylib.errors import ToolMissingError
from deploylib.toolchain import python_environment
from deploylib.toolchain.python_environment import STAMP, Interpreter, PythonEnvironment

if TYPE_CHECKING:
    from tests.toolchain.stage import Stage

# `python -m venv FOLDER` makes a folder whose python notes what it is asked to install.
VENV = """
mkdir -p "$3/bin"
printf '#!/bin/sh\\necho "pip $*" >> {calls}\\n{pip}\\n' > "$3/bin/python"
chmod +x "$3/bin/python"
"""


def interpreter(stage: Stage, *, has_ensurepip: bool = True, pip: str = "exit 0") -> Interpreter:
    calls = shlex.quote(str(stage.root / "calls"))
    program = stage.program("fakepython", VENV.format(calls=calls, pip=pip))
    return Interpreter(program=str(program), has_ensurepip=lambda: has_ensurepip)


def environment(stage: Stage, lock: str = "boto3==1 --hash=sha256:1\n") -> PythonEnvironment:
    made = python_environment.development(stage.checkout)
    made.lock_file.parent.mkdir(exist_ok=True)
    made.lock_file.write_text(lock)
    return made


def test_a_missing_environment_is_made_from_the_lock_with_its_hashes(stage: Stage) -> None:
    wanted = environment(stage)

    assert python_environment.ensure(wanted, stage.machine(), stage.say, interpreter=interpreter(stage))

    assert stage.calls[0] == f"fakepython -m venv {stage.checkout}/.venv"
    assert stage.calls[1].endswith(f"install --quiet --require-hashes -r {wanted.lock_file}")
    assert stage.said == ["installing dev.txt into .venv"]


def test_an_environment_that_is_current_is_left_alone_in_silence(stage: Stage) -> None:
    wanted, python = environment(stage), interpreter(stage)
    python_environment.ensure(wanted, stage.machine(), stage.say, interpreter=python)
    calls, said = stage.calls, list(stage.said)

    assert not python_environment.ensure(wanted, stage.machine(), stage.say, interpreter=python)

    assert (stage.calls, stage.said) == (calls, said)


def test_a_changed_lock_makes_the_environment_anew(stage: Stage) -> None:
    python = interpreter(stage)
    python_environment.ensure(environment(stage), stage.machine(), stage.say, interpreter=python)
    left = stage.checkout / ".venv" / "a-package-that-the-lock-no-longer-names"
    left.touch()

    changed = environment(stage, "boto3==2 --hash=sha256:2\n")

    assert python_environment.ensure(changed, stage.machine(), stage.say, interpreter=python)
    assert not left.exists()


def test_a_half_made_environment_is_made_anew(stage: Stage) -> None:
    wanted, python = environment(stage), interpreter(stage)
    python_environment.ensure(wanted, stage.machine(), stage.say, interpreter=python)
    (wanted.path / STAMP).unlink()

    assert python_environment.ensure(wanted, stage.machine(), stage.say, interpreter=python)


def test_an_environment_whose_interpreter_is_gone_is_made_anew(stage: Stage) -> None:
    wanted, python = environment(stage), interpreter(stage)
    python_environment.ensure(wanted, stage.machine(), stage.say, interpreter=python)
    wanted.python.unlink()

    assert python_environment.ensure(wanted, stage.machine(), stage.say, interpreter=python)


def test_an_install_that_fails_shows_why_and_is_tried_again(stage: Stage) -> None:
    wanted = environment(stage)
    failing = interpreter(stage, pip="echo no matching distribution; exit 1")

    with pytest.raises(ToolMissingError, match="no matching distribution"):
        python_environment.ensure(wanted, stage.machine(), stage.say, interpreter=failing)

    assert not python_environment.is_current(wanted)


def test_debians_missing_venv_is_installed_where_that_is_possible(stage: Stage) -> None:
    stage.program("apt-get")
    bare = interpreter(stage, has_ensurepip=False)

    python_environment.ensure(environment(stage), stage.machine(has_apt=True), stage.say, interpreter=bare)

    assert any(call.startswith("apt-get") and call.endswith("-venv") for call in stage.calls)


def test_a_missing_venv_is_one_sentence_where_nothing_can_be_installed(stage: Stage) -> None:
    bare = interpreter(stage, has_ensurepip=False)

    with pytest.raises(ToolMissingError, match=r"install the package python3\.\d+-venv"):
        python_environment.ensure(environment(stage), stage.machine(is_root=False), stage.say, interpreter=bare)

    assert stage.calls == []


def test_the_emulators_environment_is_apart_from_ours(stage: Stage) -> None:
    ours, theirs = python_environment.development(stage.checkout), python_environment.emulator(stage.checkout)

    assert ours.path == stage.checkout / ".venv"
    assert theirs.path == stage.checkout / ".tools" / "emulator"
    assert theirs.lock_file.name == "emulator.txt"


def test_what_judges_terraform_is_apart_too(stage: Stage) -> None:
    judge = python_environment.policy(stage.checkout)

    assert judge.path == stage.checkout / ".tools" / "policy"
    assert judge.lock_file.name == "policy.txt"
