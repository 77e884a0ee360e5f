"""`inv tasks`: what runs, of which release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploylib import oneoff
from deploylib.upkeep import places, tasks
from tests.fakes import world as worlds

if TYPE_CHECKING:
    from tests.fakes.world import World


@pytest.fixture
def world() -> World:
    return worlds.world()


def rows(world: World, *, stopped: bool = False) -> tuple[tasks.Row, ...]:
    return tasks.observed(world.account, worlds.environment(), stopped=stopped, clock=world.clock)


def test_each_task_says_its_service_and_its_commit(world: World) -> None:
    found = [(one.service, one.revision, one.commit, one.state) for one in rows(world)]
    web = ("web", 1, worlds.COMMITS[1][:12], "RUNNING")
    assert found == [("job", 1, worlds.COMMITS[1][:12], "RUNNING"), web, web]


def test_health_and_age_are_those_of_the_task(world: World) -> None:
    world.clock.advance(600)
    (job, web, _) = rows(world)
    assert (job.health, web.health) == ("UNKNOWN", "HEALTHY")
    assert 10 <= web.age_minutes <= 12


def test_those_that_have_stopped_are_shown_when_they_are_asked_for(world: World) -> None:
    world.ecs.behave(image=worlds.digest("job", 2), exits=3, after_seconds=1)
    world.release("job", 2)
    world.clock.advance(60)
    assert not [one for one in rows(world) if one.state == "STOPPED"]
    (*_, ended) = [one for one in rows(world, stopped=True) if one.state == "STOPPED" and one.service == "job"]
    assert "Essential container in task exited" in ended.note
    assert "worker 3" in ended.note


def test_a_one_off_task_is_not_taken_for_one_of_the_service(world: World) -> None:
    place = places.find(world.account, worlds.environment())
    order = oneoff.Order(container="app", command=("sleep",), started_by="run/guestbook-stg-web")
    oneoff.start(world.account, place.site, order, revision=place.revision, token="1")
    assert [one.service for one in rows(world)] == ["job", "web", "web", "web, run"]


def test_twenty_services_cost_two_calls_and_one_for_each_revision() -> None:
    world = worlds.world(*worlds.many(20))
    rows(world)
    asked = {name: count for name, count in world.aws.calls.items() if name.startswith("ecs:")}
    assert asked == {"ecs:ListTasks": 1, "ecs:DescribeTasks": 1, "ecs:DescribeTaskDefinition": 20}


def test_a_person_sees_the_beginning_of_an_id_which_exec_takes_and_a_machine_all_of_it(world: World) -> None:
    (job, *_) = rows(world)
    assert dict(zip(tasks.COLUMNS, job.cells(), strict=True))["task"] == job.task[:12]
    assert dict(zip(tasks.COLUMNS, job.cells(whole=True), strict=True))["task"] == job.task
