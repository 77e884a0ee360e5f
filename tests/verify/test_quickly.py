"""The fast form: two calls, beside what is known already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploylib import config, verify
from tests.fakes import world as worlds
from tests.verify.scenery import complaints, leaves, with_template

if TYPE_CHECKING:
    from tests.verify.scenery import Scene


def test_a_healthy_environment_takes_two_calls(scene: Scene) -> None:
    found = scene.quick()
    assert complaints(found) == {}
    assert dict(scene.world.aws.calls) == {"elbv2:DescribeTargetGroups": 1, "logs:DescribeLogGroups": 1}
    assert scene.world.aws.wrote == ()


def test_without_load_balancers_one_call_is_enough() -> None:
    world = worlds.world(*worlds.many(12))
    verify.quick(world.account, worlds.environment(migration=None), world.live())
    assert dict(world.aws.calls) == {"logs:DescribeLogGroups": 1}


def test_twenty_services_take_no_more_calls_than_one() -> None:
    specs = [
        worlds.ServiceSpec(key=f"s{number}", containers={"app": "web"}, tasks=1, balanced=True) for number in range(20)
    ]
    world = worlds.world(*specs)
    found = verify.quick(world.account, worlds.environment(migration=None), world.live())
    assert complaints(found) == {}
    assert sum(world.aws.calls.values()) == 2


def test_a_log_group_that_is_gone_is_missing(scene: Scene) -> None:
    scene.world.logs.groups.remove("/guestbook/stg/job")
    assert complaints(scene.quick()) == {"log groups": "MISSING no /guestbook/stg/job"}


def test_a_target_group_that_is_gone_is_missing(scene: Scene) -> None:
    scene.world.aws.elbv2.refuse("describe_target_groups", "TargetGroupNotFound")
    assert complaints(scene.quick()) == {"target groups": "MISSING of guestbook-stg-web one is gone"}


@pytest.mark.parametrize(
    ("client", "operation"), [("elbv2", "describe_target_groups"), ("logs", "describe_log_groups")]
)
@pytest.mark.parametrize("code", ["AccessDenied", "ThrottlingException"])
def test_what_is_not_answered_is_said_and_stops_nobody(scene: Scene, client: str, operation: str, code: str) -> None:
    getattr(scene.world.aws, client).refuse(operation, code)
    found = scene.quick()
    assert [one.state for one in leaves(found).values() if one.state != "OK"] == ["SKIPPED"]
    verify.refuse_missing(found, "stg")
    (notice,) = verify.notices(found)
    assert code in notice


def test_the_next_tasks_are_looked_at_and_not_the_present_ones(scene: Scene) -> None:
    with_template(scene.world, "web", portMappings=[])
    assert complaints(scene.quick()) == {
        "guestbook-stg-web · port of guestbook-stg-web": "MISSING is 8000, but app publishes no port"
    }


def test_a_migration_without_its_container_is_found_before_anything_is_built(scene: Scene) -> None:
    other = config.Migration(service="wbe", container="app", command=("alembic",))
    assert complaints(scene.quick(migration=other)) == {"migration": "MISSING there is no service wbe"}
    assert complaints(scene.quick(migration=None)) == {}


def test_more_log_groups_than_a_page_has_prove_nothing(scene: Scene) -> None:
    scene.world.logs.groups |= {f"/guestbook/stg/a{number:03}" for number in range(60)}
    assert complaints(scene.quick()) == {
        "log groups": "SKIPPED there are more than 50 whose names begin with '/guestbook/stg/'"
    }
