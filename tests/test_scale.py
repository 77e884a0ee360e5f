"""`inv scale`: other counts, under the same lock; what is not reached is taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deploylib import config, events, release
from deploylib.errors import ConfigError, RefusedError, RolledBackError
from deploylib.release import scaling
from tests.fakes import world as worlds
from tests.fakes.clock import interrupt

if TYPE_CHECKING:
    from deploylib.release import Release
    from tests.fakes.world import World


@pytest.fixture
def world() -> World:
    return worlds.world()


def propose(world: World, text: str, **changes: Any) -> Release:
    environment = worlds.environment(rollout=config.Rollout(timeout_seconds=300), **changes)
    return release.propose_scale(environment, world.account, scaling.parse(text), clock=world.clock)


def desired(world: World) -> tuple[int, int]:
    return world.ecs.services[worlds.WEB].desired, world.ecs.services[worlds.JOB].desired


def test_the_counts_are_sent_and_waited_for(world: World) -> None:
    proposed = propose(world, "web=4,job=2")
    assert [(one.key, one.action, one.reason) for one in proposed.plan.services] == [
        ("web", "scale", "2 → 4 tasks"),
        ("job", "scale", "1 → 2 tasks"),
    ]
    *_, completed = release.scale(proposed)
    assert isinstance(completed, events.Completed)
    assert (completed.services, completed.scaled, completed.release) == (("web", "job"), True, 0)
    assert desired(world) == (4, 2)
    assert len([one for one in world.ecs.tasks.values() if one.status == "RUNNING"]) == 6


def test_nothing_but_the_count_is_sent(world: World) -> None:
    list(release.scale(propose(world, "web=3")))
    (update,) = [one.request for one in world.ecs.writes]
    assert update == {"cluster": world.cluster, "service": worlds.WEB, "desiredCount": 3}


def test_fewer_tasks_are_waited_for_too(world: World) -> None:
    list(release.scale(propose(world, "web=1")))
    running = [one for one in world.ecs.tasks.values() if one.wanted and one.group == f"service:{worlds.WEB}"]
    assert len(running) == 1


def test_zero_is_a_count(world: World) -> None:
    list(release.scale(propose(world, "web=0")))
    assert desired(world) == (0, 1)


def test_a_service_that_has_that_many_is_left_alone(world: World) -> None:
    proposed = propose(world, "web=2")
    assert proposed.plan.nothing_to_do
    assert [one.reason for one in proposed.plan.services] == ["has that many tasks", "not asked for"]


def test_the_lock_is_held_meanwhile_and_given_back(world: World) -> None:
    happened = [type(one).__name__ for one in release.scale(propose(world, "web=3"))]
    assert happened[0] == "Locked"
    assert not [one for one in world.aws.dynamodb.tables[worlds.LEDGER].values() if one.get("kind") == {"S": "release"}]
    list(release.scale(propose(world, "web=2")))


def test_a_count_that_is_not_reached_is_taken_back(world: World) -> None:
    world.ecs.behave(image=worlds.digest("web", 1), exits=1, after_seconds=1)
    with pytest.raises(RolledBackError, match=r"the former count was sent again") as raised:
        list(release.scale(propose(world, "web=4")))
    assert raised.value.hint == "inv tasks --env stg --stopped"
    assert desired(world) == (2, 1)


def test_ctrl_c_leaves_the_rest_to_ecs_and_says_so(world: World) -> None:
    world.clock.after(4, interrupt)
    with pytest.raises(KeyboardInterrupt) as raised:
        list(release.scale(propose(world, "web=4")))
    assert raised.value.__notes__ == ["ECS goes on scaling web"]
    assert desired(world) == (4, 1)


def test_a_service_that_is_rolling_out_is_not_scaled(world: World) -> None:
    world.release("web", 2)
    with pytest.raises(RefusedError, match="web: a deployment is under way") as raised:
        propose(world, "web=4")
    assert raised.value.hint.startswith("inv watch --env stg")


def test_what_was_never_released_has_nothing_to_run() -> None:
    with pytest.raises(RefusedError, match="nothing was released into web yet"):
        propose(worlds.world(released=False), "web=4")


def test_an_unknown_service_is_refused_with_those_that_there_are(world: World) -> None:
    with pytest.raises(ConfigError, match="stg has no service 'wbe'") as raised:
        propose(world, "wbe=1")
    assert raised.value.hint == "it has web, job"


def test_a_count_that_its_scaling_does_not_keep_is_told(world: World) -> None:
    terraform = {"services": {"web": {"scaling": {"minimum": 2, "maximum": 4}}}}
    assert propose(world, "web=9", terraform=terraform).plan.notices == (
        "web: its scaling keeps it between 2 and 4 tasks, and may change 9 again",
    )
    assert propose(world, "web=3,job=9", terraform=terraform).plan.notices == ()


@pytest.mark.parametrize("text", ["", "web", "web=", "web=-1", "web=two", "=3", "web=1,web=2", "web=٣", "web=100000"])
def test_what_is_no_count_is_a_mistake(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        scaling.parse(text)
    assert raised.value.hint == "inv scale web=4,job=2"
