"""`inv run`: a command of one's own with the released image, its output as it is, its exit code passed on."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import report
from deploylib.errors import CommandError, ConfigError, RefusedError, TaskError
from deploylib.report.console import page
from deploylib.upkeep import command, places
from tests.fakes import world as worlds
from tests.fakes.clock import interrupt

if TYPE_CHECKING:
    from collections.abc import Generator

    from deploylib.events import Event
    from deploylib.upkeep.places import Place
    from tests.fakes.world import World

SHELL = ("manage", "shell")


@pytest.fixture
def world() -> World:
    return worlds.world()


def at(world: World, key: str = "", container: str = "") -> Place:
    return places.find(world.account, worlds.environment(), key=key, container=container)


def behave(world: World, **behaviour: Any) -> None:
    world.ecs.behave(command=SHELL, **{"exits": 0, "after_seconds": 3, **behaviour})


def run(world: World, **where: str) -> Generator[Event, None, None]:
    return command.run(world.account, at(world, **where), SHELL, clock=world.clock)


def printed(happening: Generator[Event, None, None], *, output: str = "text") -> tuple[str, str]:
    results, asides = io.StringIO(), io.StringIO()
    report.ran(happening, output=output, stream=results, console=page(asides))
    return results.getvalue(), asides.getvalue()


def test_what_it_prints_comes_out_as_it_is_and_nothing_else_does(world: World) -> None:
    behave(world, log=('{"rows": 3}', "\t[bold]tab", (2.0, "last line")))
    results, asides = printed(run(world))
    assert results == '{"rows": 3}\n\t[bold]tab\nlast line\n'
    assert "web/app: task" in asides
    assert "exit code 0 after" in asides


def test_lines_that_arrive_after_the_task_has_stopped_are_not_lost(world: World) -> None:
    world.logs.late_seconds = 4.0
    behave(world, log=((2.9, "too late?"),))
    assert printed(run(world))[0] == "too late?\n"


def test_its_exit_code_is_passed_on(world: World) -> None:
    behave(world, exits=42)
    with pytest.raises(CommandError, match="manage ended with exit code 42") as raised:
        printed(run(world))
    assert raised.value.exit_code == 42


def test_it_runs_the_release_that_is_live_where_the_service_runs(world: World) -> None:
    behave(world)
    list(run(world, key="job"))
    (call,) = [one.request for one in world.ecs.writes if one.operation == "run_task"]
    assert call["taskDefinition"] == world.ecs.services[worlds.JOB].primary.revision
    assert call["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == ["subnet-1", "subnet-2"]
    assert call["overrides"]["containerOverrides"] == [{"name": "worker", "command": list(SHELL)}]
    assert call["launchType"] == "FARGATE"


def test_a_lost_answer_does_not_start_it_twice(world: World) -> None:
    behave(world)
    place = at(world)
    for _ in range(2):
        list(command.run(world.account, place, SHELL, token="once", clock=world.clock))
    assert len({one.id for one in world.ecs.tasks.values() if one.started_by.startswith("run/")}) == 1


@pytest.mark.parametrize("seconds", [0.5, 6.0, 20.0], ids=["provisioning", "pulling", "running"])
def test_ctrl_c_stops_the_task(world: World, seconds: float) -> None:
    behave(world, exits=None)
    world.clock.after(seconds, interrupt)
    with pytest.raises(KeyboardInterrupt) as raised:
        printed(run(world))
    (task,) = [one for one in world.ecs.tasks.values() if one.started_by.startswith("run/")]
    assert task.status == "STOPPED"
    assert raised.value.__notes__ == [f"the task {task.id} was stopped"]


def test_ctrl_c_while_a_line_is_shown_stops_the_task_too(world: World) -> None:
    class Typed(io.StringIO):
        def write(self, _: str) -> int:
            raise KeyboardInterrupt

    behave(world, exits=None, log=("a line",))
    with pytest.raises(KeyboardInterrupt):
        report.ran(run(world), stream=Typed(), console=page(io.StringIO()))
    assert [one.status for one in world.ecs.tasks.values() if one.started_by.startswith("run/")] == ["STOPPED"]


def test_a_task_that_never_runs_says_why(world: World) -> None:
    behave(world, start_error="CannotStartContainerError: no such file: manage")
    with pytest.raises(TaskError, match=r"did not run .*no such file: manage"):
        printed(run(world))


def test_throttling_in_between_costs_nothing(world: World) -> None:
    behave(world, log=("one", (2.0, "two")))
    happening = run(world)
    next(happening)
    world.ecs.throttle(5)
    assert printed(happening)[0] == "one\ntwo\n"


def test_machines_get_a_document_for_each_line(world: World) -> None:
    behave(world, log=("one",))
    documents = [json.loads(line) for line in printed(run(world), output="json")[0].splitlines()]
    assert [one["event"] for one in documents] == ["CommandStarted", "CommandLogged", "CommandEnded"]
    assert documents[0]["service"] == "web"
    assert documents[2]["exit_code"] == 0


# Where


def test_without_a_service_it_is_where_the_migration_runs(world: World) -> None:
    assert (at(world).key, at(world).container) == ("web", "app")


def test_without_a_migration_it_has_to_be_said(world: World) -> None:
    with pytest.raises(ConfigError, match="of which service is not said") as raised:
        places.find(world.account, worlds.environment(migration=None))
    assert raised.value.hint == "--service: web, job"


def test_another_container_may_be_meant_and_an_unknown_one_is_refused(world: World) -> None:
    assert at(world, "web", "nginx").container == "nginx"
    with pytest.raises(ConfigError, match="web has no container 'ngnix'") as raised:
        at(world, "web", "ngnix")
    assert raised.value.hint == "--container: app, nginx, metrics"


def test_an_unknown_service_is_refused(world: World) -> None:
    with pytest.raises(ConfigError, match="stg has no service or scheduled task 'wbe'"):
        at(world, "wbe")


def test_before_the_first_release_there_is_no_image_to_run() -> None:
    with pytest.raises(RefusedError, match="nothing was released into web yet") as raised:
        at(worlds.world(released=False))
    assert raised.value.hint == "inv deploy --env stg"


def test_a_scheduled_task_can_be_run_by_hand(world: World) -> None:
    world.schedule(worlds.CLEANUP)
    with pytest.raises(RefusedError, match="nothing was released into cleanup yet"):
        at(world, "cleanup")
    revision = world.register("cleanup", 1)
    world.aws.scheduler.schedules["default", worlds.CLEANUP.name]["EcsParameters"]["TaskDefinitionArn"] = revision
    behave(world, log=("cleaned",))
    assert at(world, "cleanup").revision == revision
    assert printed(run(world, key="cleanup"))[0] == "cleaned\n"


def test_no_command_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="no command to run"):
        command.check([], "stg")
