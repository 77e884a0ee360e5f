"""`inv exec`: ECS Exec through AWS's plugin. Here a program on PATH stands in that writes down how it was called."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

import pytest

from deploylib.errors import ConfigError, ProcessError, RefusedError, ToolMissingError
from deploylib.upkeep import places, shell
from tests.fakes import world as worlds

if TYPE_CHECKING:
    from pathlib import Path

    from deploylib.upkeep.places import Place
    from deploylib.upkeep.shell import Room
    from tests.fakes.world import World

PLUGIN = """\
#!/bin/sh
if [ "$1" = --version ]; then echo {version}; exit 0; fi
for word in "$@"; do printf '%s\\n' "$word"; done > "{folder}/argv"
printf '%s' "$AWS_SSM_START_SESSION_RESPONSE" > "{folder}/session"
exit {code}
"""


@pytest.fixture
def world() -> World:
    made = worlds.world()
    made.ecs.exec_enabled = True
    return made


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def install(folder: Path, *, version: str = "1.2.707.0", code: int = 0) -> None:
    program = folder / shell.PLUGIN
    program.write_text(PLUGIN.format(version=version, folder=folder, code=code))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def place(world: World) -> Place:
    return places.find(world.account, worlds.environment())


def room(world: World) -> Room:
    return shell.find(world.account, place(world))


def test_the_session_is_the_plugins_and_its_token_is_not_on_the_command_line(world: World, path: Path) -> None:
    install(path)
    shell.check_plugin()
    found = room(world)
    shell.enter(world.account, place(world), found, ["ls", "-l", "/with space"])
    (call,) = [one.request for one in world.ecs.log if one.operation == "execute_command"]
    assert (call["command"], call["container"], call["interactive"]) == ("ls -l '/with space'", "app", True)
    words = (path / "argv").read_text().splitlines()
    assert words[:4] == ["AWS_SSM_START_SESSION_RESPONSE", "ap-northeast-1", "StartSession", ""]
    assert json.loads(words[4]) == {"Target": f"ecs:guestbook-stg_{found.task.rpartition('/')[2]}_{found.runtime_id}"}
    assert json.loads((path / "session").read_text())["tokenValue"] == "s3cret-token"
    assert "s3cret" not in (path / "argv").read_text()
    assert shell.VARIABLE not in os.environ


def test_without_the_plugin_the_next_step_is_said(path: Path) -> None:
    with pytest.raises(ToolMissingError, match="session-manager-plugin is not installed") as raised:
        shell.check_plugin()
    assert raised.value.hint.startswith("install it: ")


@pytest.mark.parametrize("version", ["1.2.463.0", "nonsense"])
def test_a_plugin_that_would_want_the_token_on_its_command_line_is_too_old(path: Path, version: str) -> None:
    install(path, version=version)
    with pytest.raises(ToolMissingError, match=r"1\.2\.497\.0 or later is needed"):
        shell.check_plugin()


def test_a_plugin_that_fails_is_told(world: World, path: Path) -> None:
    install(path, code=7)
    with pytest.raises(ProcessError, match="ended with exit code 7"):
        shell.enter(world.account, place(world), room(world), shell.SHELL)


def test_a_task_that_was_started_without_it_says_what_switches_it_on(world: World) -> None:
    world.ecs.exec_enabled = False
    with pytest.raises(ConfigError, match="was started without ECS Exec") as raised:
        room(world)
    assert "terraform.services.web.execute_command = true" in raised.value.hint


def test_without_a_running_task_there_is_nothing_to_enter(world: World) -> None:
    world.update("web", desiredCount=0)
    world.settle()
    with pytest.raises(RefusedError, match="no task of web runs") as raised:
        room(world)
    assert raised.value.hint == "inv tasks --env stg"


def test_a_certain_task_can_be_meant_by_how_its_id_begins(world: World) -> None:
    tasks = [one for one in world.ecs.tasks.values() if one.group == f"service:{worlds.WEB}"]
    for one in tasks:
        assert shell.find(world.account, place(world), task=one.id[:20]).task.startswith("arn:")
    with pytest.raises(RefusedError, match="no task zzz… of web runs"):
        shell.find(world.account, place(world), task="zzz")


def test_an_agent_that_ecs_does_not_reach_is_a_refusal_with_the_next_step(world: World, path: Path) -> None:
    found = room(world)
    world.ecs.refuse("execute_command", "TargetNotConnectedException", "the agent is not connected")
    with pytest.raises(RefusedError, match="ECS Exec does not reach web/app") as raised:
        shell.enter(world.account, place(world), found, shell.SHELL)
    assert "inv refresh" in raised.value.hint
