"""Time limits: what they are made of, and what happens where a target group says nothing."""

from __future__ import annotations

from typing import Any

import pytest

from deploylib import patience
from deploylib.errors import AwsError
from tests.fakes import world as worlds

GROUP = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:targetgroup/web/1"


def service(desired: int = 2, **changes: Any) -> dict[str, Any]:
    return {"desiredCount": desired, "deploymentConfiguration": {}, "loadBalancers": [], **changes}


def container(**changes: Any) -> dict[str, Any]:
    return {"name": "app", "stopTimeout": 30, **changes}


def definition(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"containerDefinitions": list(containers)}


CHECK = {"startPeriod": 200, "interval": 20, "retries": 5}
SLOW = container(stopTimeout=120, healthCheck=CHECK)


@pytest.mark.parametrize(
    ("description", "containers", "groups", "seconds"),
    [
        pytest.param(service(), [container()], {}, 600, id="what is quick has ten minutes all the same"),
        pytest.param(service(), [SLOW], {}, 1050, id="twice of: start 90, check 300, stop 120 and 15"),
        pytest.param(service(healthCheckGracePeriodSeconds=300), [SLOW], {}, 1650, id="a grace period counts"),
        pytest.param(
            service(loadBalancers=[{"targetGroupArn": GROUP}]),
            [SLOW],
            {GROUP: patience.TargetGroup(deregistration_seconds=600, slow_start_seconds=60)},
            2370,
            id="deregistration delay and slow start count",
        ),
        pytest.param(
            service(loadBalancers=[{"targetGroupArn": GROUP}]),
            [SLOW],
            {},
            1650,
            id="an unknown target group: AWS's 300 s",
        ),
        pytest.param(
            service(10, deploymentConfiguration={"maximumPercent": 110, "minimumHealthyPercent": 100}),
            [SLOW],
            {},
            10500,
            id="one task at a time: ten waves",
        ),
        pytest.param(
            service(10, deploymentConfiguration={"maximumPercent": 100, "minimumHealthyPercent": 50}),
            [SLOW],
            {},
            2100,
            id="half of them at a time: two waves",
        ),
        pytest.param(
            service(2, deploymentConfiguration={"bakeTimeInMinutes": 10}), [SLOW], {}, 2250, id="bake time counts once"
        ),
        pytest.param(
            service(200, deploymentConfiguration={"maximumPercent": 100, "minimumHealthyPercent": 100}),
            [SLOW],
            {},
            21600,
            id="what would take days is cut at six hours",
        ),
        pytest.param(service(0), [SLOW], {}, 1050, id="no task is wanted: one wave"),
    ],
)
def test_the_limit_is_made_of_how_tasks_start_and_stop(
    description: dict[str, Any],
    containers: list[dict[str, Any]],
    groups: dict[str, patience.TargetGroup],
    seconds: float,
) -> None:
    found = patience.limit(description, definition(*containers), groups)
    assert found.seconds == seconds


def test_the_slowest_container_counts() -> None:
    found = patience.limit(service(), definition(container(), SLOW, container(stopTimeout=2)), {})
    assert "120 s of stop timeout" in found.why


def test_a_limit_says_what_it_is_made_of() -> None:
    found = patience.limit(service(10, deploymentConfiguration={"maximumPercent": 150}), definition(SLOW), {})
    assert found.why == (
        "2 waves of tasks, each:",
        "90 s to place a task, pull its images and start",
        "300 s until its health check passes",
        "120 s of stop timeout",
        "15 s until ECS calls it stopped",
        "twice the sum",
    )


def test_a_limit_says_that_it_is_the_shortest_one() -> None:
    assert patience.limit(service(), definition(container()), {}).why[-1] == "at least 600 s"


def test_a_count_that_the_release_will_set_is_counted_with() -> None:
    one_by_one = {"maximumPercent": 100, "minimumHealthyPercent": 100}
    found = patience.limit(service(0, deploymentConfiguration=one_by_one), definition(SLOW), {}, desired=3)
    assert found.why[0] == "3 waves of tasks, each:"


def test_observe_asks_each_target_group_once() -> None:
    world = worlds.world(
        worlds.ServiceSpec(key="web", containers={"app": "web"}, tasks=1, balanced=True), *worlds.many(3)
    )
    descriptions = [described(world, key) for key in world.specs]
    (arn,) = patience.groups_of(descriptions[0])
    world.aws.elbv2.attributes[arn] = {
        "deregistration_delay.timeout_seconds": "45",
        "slow_start.duration_seconds": "30",
    }
    world.aws.forget_calls()
    found = patience.observe(world.account, [*descriptions, descriptions[0]])
    assert found == {arn: patience.TargetGroup(deregistration_seconds=45, slow_start_seconds=30)}
    assert world.aws.calls == {"elbv2:DescribeTargetGroupAttributes": 1}
    assert not world.aws.writes


@pytest.mark.parametrize("code", ["AccessDenied", "TargetGroupNotFound", "Throttling"])
def test_observe_does_without_what_it_may_not_read(code: str) -> None:
    world = worlds.world()
    world.aws.elbv2.refuse("describe_target_group_attributes", code)
    assert patience.observe(world.account, [described(world, "web")]) == {}


def test_observe_does_not_hide_another_refusal() -> None:
    world = worlds.world()
    world.aws.elbv2.refuse("describe_target_group_attributes", "ExpiredToken")
    with pytest.raises(AwsError):
        patience.observe(world.account, [described(world, "web")])


def described(world: worlds.World, key: str) -> dict[str, Any]:
    answer = world.ecs.describe_services(cluster=world.cluster, services=[world.specs[key].name])
    return dict(answer["services"][0])


def test_a_delay_that_could_not_be_read_says_so() -> None:
    found = patience.limit(service(loadBalancers=[{"targetGroupArn": GROUP}]), definition(container()), {})
    assert "300 s of deregistration delay (AWS's default: it could not be read)" in found.why
