from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploylib.errors import ToolMissingError
from deploylib.toolchain import python_environment, setup
from deploylib.toolchain.os_image import OsImage, recipe_of
from deploylib.toolchain.python_environment import STAMP

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.toolchain.fake_engine import FakeEngine
    from tests.toolchain.stage import Stage

ROOT = Path(__file__).resolve().parents[2]


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_setup_and_clean_need_nothing_but_the_standard_library() -> None:
    done = python("-S", "-c", "import deploylib.toolchain.setup, deploylib.localaws.clean")

    assert done.stderr == ""


def test_an_older_python_is_one_sentence() -> None:
    pretend = "import runpy, sys; sys.version_info = (3, 9, 2, 'final', 0); sys.version = '3.9.2 (main)'; "

    done = python("-S", "-c", pretend + "runpy.run_module('deploylib.toolchain', run_name='__main__')")

    assert done.returncode == 1
    assert done.stderr.strip().startswith("Python 3.11 or later is needed; this is 3.9.2")
    assert len(done.stderr.splitlines()) == 1


def without_engine(stage: Stage) -> None:
    """Have everything but an engine and what runs on it."""
    stage.program("skopeo")
    stage.program("terraform", 'echo \'{"terraform_version": "1.11.4"}\'')
    for each in (python_environment.development(stage.checkout), python_environment.emulator(stage.checkout)):
        each.lock_file.parent.mkdir(exist_ok=True)
        each.lock_file.touch()
        stage.program("python", folder=each.python.parent)
        (each.path / STAMP).write_text(python_environment.fingerprint(each.lock_file))


def environments(stage: Stage, **files: str) -> None:
    (stage.checkout / "environments").mkdir()
    for name, text in files.items():
        (stage.checkout / f"environments/{name}.toml").write_text(text)


def test_nothing_is_done_or_said_when_nothing_is_missing(stage: Stage, engine_at: Callable[..., FakeEngine]) -> None:
    fake, machine = engine_at(stage.root / "docker.sock"), stage.machine()
    without_engine(stage)
    stage.program("docker")
    stage.program("docker-compose")
    fake.add_image(OsImage().name, labels=dict(recipe_of(OsImage(), machine, stage.checkout).labels))

    tools = setup.ensure(stage.checkout, machine, stage.say)

    assert tools.engine
    assert (tools.engine.host, tools.terraform.version) == (fake.host, "1.11.4")
    assert stage.said == []
    assert stage.calls == ["terraform version -json"]


def test_no_engine_is_installed_or_started_where_codebuild_builds(stage: Stage) -> None:
    without_engine(stage)
    for name in ("dockerd", "apt-get"):
        stage.program(name)
    environments(stage, common="[images]\n", broken="[images", stg='[images]\nengine = "codebuild"\n')

    tools = setup.ensure(stage.checkout, stage.machine(has_apt=True), stage.say)

    assert tools.engine is None
    assert stage.said == [setup.NO_ENGINE]
    assert stage.calls == ["terraform version -json"]


def test_an_engine_that_is_there_is_used_also_where_codebuild_builds(
    stage: Stage, engine_at: Callable[..., FakeEngine]
) -> None:
    fake, machine = engine_at(stage.root / "docker.sock"), stage.machine()
    without_engine(stage)
    stage.program("docker")
    stage.program("docker-compose")
    fake.add_image(OsImage().name, labels=dict(recipe_of(OsImage(), machine, stage.checkout).labels))
    environments(stage, common='[images]\nengine = "codebuild"\n')

    tools = setup.ensure(stage.checkout, machine, stage.say)

    assert tools.engine
    assert stage.said == []


@pytest.mark.parametrize(
    "images",
    [
        '[images]\nengine = "local"\n',
        '[images]\nengine = "codebuild"\n[images.roles.web.test]\ncommands = [["true"]]\n',
    ],
)
def test_where_nobody_else_builds_or_images_have_tests_an_engine_is_needed(stage: Stage, images: str) -> None:
    without_engine(stage)
    environments(stage, stg=images)

    with pytest.raises(ToolMissingError, match="no container engine is installed"):
        setup.ensure(stage.checkout, stage.machine(is_root=False), stage.say)


def test_a_refusal_is_one_sentence_with_the_next_step_before_anything_is_made(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "deploylib", tmp_path / "deploylib", ignore=shutil.ignore_patterns("__pycache__"))
    environ = {**os.environ, "DOCKER_HOST": "tcp://10.0.0.7:2375"}

    done = subprocess.run(
        [sys.executable, "-S", "-B", "-m", "deploylib.toolchain"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "setup: the container engine tcp://10.0.0.7:2375 may be on another machine",
        "  next: unset DOCKER_HOST (docker context use default), or set DEPLOY_ALLOW_REMOTE_ENGINE=1 if it is meant",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["deploylib"]
