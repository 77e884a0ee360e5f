"""Which service deployment is ours, and what it says."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from deploylib import rollout, service_deployments
from tests.fakes import world as worlds

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
OURS = rollout.Target(key="web", name="web", deployment="ecs-svc/42", revision="r", previous="p", since=NOON)


def record(arn: str, seconds: float, revision: int = 0) -> dict[str, Any]:
    return {
        "serviceDeploymentArn": arn,
        "createdAt": NOON + dt.timedelta(seconds=seconds),
        "targetServiceRevisionArn": f"arn:aws:ecs:r:1:service-revision/c/web/{revision}",
    }


@pytest.mark.parametrize(
    ("records", "ours"),
    [
        pytest.param([], "", id="none yet"),
        pytest.param([record("a", -60)], "", id="only the former one"),
        pytest.param([record("b", 1), record("a", -60)], "b", id="the one that was made with it"),
        pytest.param([record("b", -2), record("a", -60)], "b", id="written a moment before it"),
        pytest.param([record("b", 0.5), record("a", -4)], "b", id="not another one from right before"),
        pytest.param([record("c", 30), record("b", 1), record("a", -60)], "b", id="the first one, not the newest"),
        pytest.param([record("c", 1), record("b", 90, 42)], "b", id="the one with its number, whenever it was made"),
        pytest.param([record("c", 1, 142)], "c", id="a number that ends like it is another one"),
    ],
)  # fmt: skip
def test_ours_is_told_by_its_number_or_by_awss_own_times(records: list[dict[str, Any]], ours: str) -> None:
    found = service_deployments.mine(OURS, records)
    assert (found["serviceDeploymentArn"] if found else "") == ours


@pytest.mark.parametrize(
    ("status", "back"),
    [
        ("PENDING", False),
        ("IN_PROGRESS", False),
        ("SUCCESSFUL", False),
        ("STOP_REQUESTED", False),
        ("STOPPED", False),
        ("ROLLBACK_REQUESTED", True),
        ("ROLLBACK_IN_PROGRESS", True),
        ("ROLLBACK_SUCCESSFUL", True),
        ("ROLLBACK_FAILED", True),
    ],
)
def test_every_status_of_aws_is_a_way_back_or_none(status: str, *, back: bool) -> None:
    assert service_deployments.goes_back({"status": status}) is back


def test_why_is_the_reason_of_the_roll_back_before_that_of_the_status() -> None:
    assert service_deployments.why(None) == ""
    assert service_deployments.why({"statusReason": "stopped"}) == "stopped"
    assert service_deployments.why({"statusReason": "stopped", "rollback": {"reason": "alarm"}}) == "alarm"


def test_a_service_deployment_that_does_not_appear_is_looked_for_three_times() -> None:
    world = worlds.world()
    reading = service_deployments.ServiceDeployments(ecs=world.account.ecs, cluster=world.cluster)
    stranger = rollout.Target(key="web", name=worlds.WEB, deployment="ecs-svc/1", revision="r", previous="p")
    for _ in range(10):
        reading.read([stranger], calls=5)
    assert reading.of(stranger) is None
    assert world.aws.calls == {"ecs:ListServiceDeployments": 3}


def test_once_it_is_not_allowed_nothing_is_asked_any_more() -> None:
    world = worlds.world()
    world.ecs.refuse("list_service_deployments", "AccessDeniedException", times=1)
    reading = service_deployments.ServiceDeployments(ecs=world.account.ecs, cluster=world.cluster)
    for _ in range(10):
        reading.read([OURS], calls=5)
    assert "AccessDeniedException" in reading.refused
    assert world.aws.calls == {"ecs:ListServiceDeployments": 1}


def test_thirty_are_described_by_two_calls() -> None:
    world = worlds.world(*worlds.many(30))
    targets = []
    for spec in world.specs.values():
        answer = world.ecs.update_service(cluster=world.cluster, service=spec.name, forceNewDeployment=True)
        targets.append(rollout.target(spec.key, answer["service"], previous=""))
    world.aws.forget_calls()
    reading = service_deployments.ServiceDeployments(ecs=world.account.ecs, cluster=world.cluster)
    assert reading.read(targets, calls=100) == 32
    assert world.aws.calls == {"ecs:ListServiceDeployments": 30, "ecs:DescribeServiceDeployments": 2}
    assert {(reading.of(one) or {}).get("status") for one in targets} == {"IN_PROGRESS"}
