"""Twenty services in one release: how many calls each look makes, and how long it takes beside a single one."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from tests.rollout import scenario

TWENTY: dict[str, Any] = {"s": {"count": 20, "tasks": 2}}
BALANCED: dict[str, Any] = {"s": {"count": 20, "tasks": 2, "balanced": True}}
READS_PER_LOOK = 3


def looks(played: scenario.Played) -> Counter[float]:
    """Return how many calls were made at each moment of the watch."""
    return Counter(one.at for one in played.world.aws.log)


@pytest.mark.parametrize("services", [TWENTY, BALANCED], ids=["plain", "behind load balancers"])
@pytest.mark.parametrize("completes", ["healthy", "draining", "stopped"])
def test_twenty_services_take_at_most_three_calls_per_look(services: dict[str, Any], completes: str) -> None:
    played = scenario.play({"name": "", "services": services, "habits": {"completes": completes}})
    assert {one.verdict for one in played.outcomes.values()} == {"done"}
    assert len(played.outcomes) == 20
    assert max(looks(played).values()) <= READS_PER_LOOK


@pytest.mark.parametrize("balanced", [False, True])
def test_twenty_services_take_hardly_longer_than_one(*, balanced: bool) -> None:
    one = {"name": "", "services": {"s": {"count": 1, "tasks": 2, "balanced": balanced}}}
    many = {"name": "", "services": {"s": {"count": 20, "tasks": 2, "balanced": balanced}}}
    assert scenario.play(many).seconds <= 1.5 * scenario.play(one).seconds


def test_twenty_services_of_which_one_fails_stay_within_the_calls() -> None:
    case = {
        "name": "",
        "services": {**TWENTY, "web": {"tasks": 2, "breaker": False}},
        "timing": {"pulling": 30.0},
        "behave": [{"exits": 1, "after_seconds": 0.2}],
        "settings": {"same_failure": 4},
        "verdicts": {"web": "failed"},
    }
    played = scenario.play(case)
    assert max(looks(played).values()) <= READS_PER_LOOK + 1  # 21 services are three calls of DescribeServices


def test_one_service_stays_within_three_calls_per_look() -> None:
    played = scenario.play({"name": "", "services": {"web": {"balanced": True}}, "timing": {"pulling": 60.0}})
    assert max(looks(played).values()) <= READS_PER_LOOK


def test_pauses_between_looks_are_two_to_ten_seconds_in_a_long_rollout() -> None:
    played = scenario.play({"name": "", "timing": {"pulling": 500.0}})
    moments = sorted(looks(played))
    pauses = [later - earlier for earlier, later in pairwise(moments) if 60 < later - moments[0] < 480]
    assert min(pauses) >= 2
    assert max(pauses) <= 10
    assert len({round(one, 3) for one in pauses}) > len(pauses) / 2, "they are out of step with other releases"


def test_service_deployments_of_twenty_services_are_described_by_one_call() -> None:
    played = scenario.play({"name": "", "services": TWENTY, "timing": {"pulling": 120.0}})
    described = [one for one in played.world.aws.log if one.operation == "describe_service_deployments"]
    listed = [one for one in played.world.aws.log if one.operation == "list_service_deployments"]
    assert len(listed) == 20
    assert max(len(one.request["serviceDeploymentArns"]) for one in described) == 20
