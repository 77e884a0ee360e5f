"""How a service moves, told from what ECS says of it."""

from __future__ import annotations

from typing import Any

import pytest

from deploylib import patience, strategies
from tests.fakes.clock import when

CODE_DEPLOY = {"deploymentController": {"type": "CODE_DEPLOY"}}


def task_set(number: int, status: str = "PRIMARY", stability: str = "STEADY_STATE") -> dict[str, Any]:
    return {
        "id": f"ecs-svc/{number}",
        "externalId": f"d-{number}",
        "startedBy": "CODE_DEPLOY",
        "status": status,
        "taskDefinition": f"web:{number}",
        "computedDesiredCount": 2,
        "runningCount": 2,
        "pendingCount": 0,
        "stabilityStatus": stability,
        "createdAt": when(number),
        "updatedAt": when(number),
    }


@pytest.mark.parametrize(
    ("described", "strategy"),
    [
        ({}, "rolling"),
        ({"deploymentController": {"type": "ECS"}}, "rolling"),
        ({"deploymentConfiguration": {"strategy": "ROLLING"}}, "rolling"),
        ({"deploymentConfiguration": {"strategy": "BLUE_GREEN"}}, "blue/green"),
        ({"deploymentConfiguration": {"strategy": "LINEAR"}}, "linear"),
        ({"deploymentConfiguration": {"strategy": "CANARY"}}, "canary"),
        (CODE_DEPLOY, "codedeploy"),
    ],
)
def test_strategy_is_told_from_the_live_service(described: dict[str, Any], strategy: str) -> None:
    assert strategies.of(described) == strategy


def test_a_rolling_service_stays_as_ecs_describes_it() -> None:
    described = {"taskDefinition": "web:1", "deployments": [{"id": "ecs-svc/1"}]}
    assert strategies.steered(described) == described


def test_newest_task_set_is_what_is_steered_to_whichever_takes_the_traffic() -> None:
    for statuses in (("PRIMARY", "ACTIVE"), ("ACTIVE", "PRIMARY")):
        sets = [task_set(1, statuses[0]), task_set(2, statuses[1])]
        seen = strategies.steered({**CODE_DEPLOY, "taskDefinition": "web:1", "deployments": [], "taskSets": sets})
        assert seen["taskDefinition"] == "web:2"
        told = [(one["status"], one["rolloutState"], one["externalId"]) for one in seen["deployments"]]
        assert told == [("PRIMARY", "IN_PROGRESS", "d-2"), ("ACTIVE", "COMPLETED", "d-1")]


def test_a_task_set_that_is_being_deleted_does_not_count() -> None:
    sets = [task_set(1), task_set(2, "DRAINING")]
    seen = strategies.steered({**CODE_DEPLOY, "taskDefinition": "web:1", "deployments": [], "taskSets": sets})
    assert [(one["taskDefinition"], one["rolloutState"]) for one in seen["deployments"]] == [("web:1", "COMPLETED")]


def test_a_lone_task_set_is_complete_when_it_is_steady() -> None:
    seen = strategies.steered({**CODE_DEPLOY, "taskSets": [task_set(1, stability="STABILIZING")]})
    assert seen["deployments"][0]["rolloutState"] == "IN_PROGRESS"


PAUSE = {"targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]}


@pytest.mark.parametrize(
    ("configuration", "minutes"),
    [
        ({"strategy": "ROLLING", "bakeTimeInMinutes": 3}, 3),
        ({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5}, 5),
        ({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 25.0, "stepBakeTimeInMinutes": 4}}, 12),
        ({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 30.0, "stepBakeTimeInMinutes": 4}}, 12),
        (
            {
                "strategy": "CANARY",
                "bakeTimeInMinutes": 1,
                "canaryConfiguration": {"canaryPercent": 5, "canaryBakeTimeInMinutes": 9},
            },
            10,
        ),
        (
            {"strategy": "BLUE_GREEN", "lifecycleHooks": [{**PAUSE, "timeoutConfiguration": {"timeoutInMinutes": 30}}]},
            30,
        ),
        ({"strategy": "BLUE_GREEN", "lifecycleHooks": [PAUSE]}, 1440),
        ({"strategy": "BLUE_GREEN", "lifecycleHooks": [{"targetType": "AWS_LAMBDA", "lifecycleStages": ["X"]}]}, 0),
    ],
)
def test_bake_times_steps_and_pauses_are_waited_for(configuration: dict[str, Any], minutes: float) -> None:
    described = {"deploymentConfiguration": configuration}
    waited = sum(one for one, _ in strategies.waiting_minutes(described))
    assert waited + strategies.pause_minutes(described) == minutes


def test_the_time_limit_counts_them_and_takes_one_wave() -> None:
    rolling = {"maximumPercent": 110, "minimumHealthyPercent": 100}
    green = {**rolling, "strategy": "BLUE_GREEN", "bakeTimeInMinutes": 60}
    limits = [patience.limit({"desiredCount": 20, "deploymentConfiguration": one}, {}, {}) for one in (rolling, green)]
    assert limits[0].why[0] == "10 waves of tasks, each:"
    assert "60 min of bake time" in limits[1].why
    assert not any("waves" in one for one in limits[1].why)
