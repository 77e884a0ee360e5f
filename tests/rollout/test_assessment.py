"""One description judged: what counts, and who is to blame."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from deploylib import config, rollout

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
SETTINGS = config.Rollout(same_failure=3, failed_tasks=5)
OURS = rollout.Target(
    key="web", name="web", deployment="ecs-svc/2", revision="web:2", previous="web:1", former=frozenset({"ecs-svc/1"})
)


def deployment(number: int, status: str = "PRIMARY", **changes: Any) -> dict[str, Any]:
    return {
        "id": f"ecs-svc/{number}",
        "status": status,
        "taskDefinition": f"web:{number}",
        "desiredCount": 2,
        "runningCount": 2,
        "pendingCount": 0,
        "failedTasks": 0,
        "rolloutState": "IN_PROGRESS",
        "rolloutStateReason": "",
        "updatedAt": NOON,
        **changes,
    }


def service(*deployments: dict[str, Any], **configuration: Any) -> dict[str, Any]:
    return {"desiredCount": 2, "deployments": list(deployments), "events": [], "deploymentConfiguration": configuration}


def crash(seconds: float, code: int = 1) -> dict[str, Any]:
    """A task that began to end so long after noon."""
    return {
        "stopCode": "EssentialContainerExited",
        "stoppingAt": NOON + dt.timedelta(seconds=seconds),
        "containers": [{"name": "app", "exitCode": code}],
    }


def judged(description: dict[str, Any] | None, **known: Any) -> tuple[str | None, str]:
    look = rollout.assess(OURS, description, settings=SETTINGS, **known)
    return look.verdict, look.reason


COMPLETED = deployment(2, rolloutState="COMPLETED")


@pytest.mark.parametrize(
    ("state", "crashes", "verdict"),
    [
        pytest.param(COMPLETED, [-9, -8, -7, -6], "done", id="failures from before it was complete are over"),
        pytest.param(COMPLETED, [-9, 1, 2], "done", id="two since"),
        pytest.param(COMPLETED, [1, 2, 3], "failed", id="three since"),
        pytest.param(
            {**COMPLETED, "runningCount": 1}, [-9, -8, 1], "failed", id="it runs less than it wants: all count"
        ),
        pytest.param(deployment(2), [-9, -8, -7], "failed", id="under way: all count"),
        pytest.param(deployment(2), [-9, -8], None, id="under way, and not enough"),
    ],
)
def test_which_failures_count(state: dict[str, Any], crashes: list[float], verdict: str | None) -> None:
    assert judged(service(state), tasks=[crash(one) for one in crashes])[0] == verdict


def test_failures_of_several_kinds_count_together_up_to_the_other_limit() -> None:
    tasks = [crash(-1, code) for code in (1, 1, 2, 2)]
    assert judged(service(deployment(2)), tasks=tasks)[0] is None
    assert judged(service(deployment(2)), tasks=[*tasks, crash(-1, 3)]) == ("failed", "gave up after 5 failed tasks")


def test_ecss_own_count_counts_where_the_tasks_were_not_read() -> None:
    assert judged(service(deployment(2, failedTasks=5))) == ("failed", "gave up after 5 failed tasks")


@pytest.mark.parametrize("status", ["ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL"])
def test_a_way_back_that_only_the_service_deployment_knows_of_is_a_roll_back(status: str) -> None:
    record = {"status": status, "rollback": {"reason": "a person"}}
    assert judged(service(deployment(2)), record=record) == ("rolled back", "a person")


def test_a_completed_deployment_is_not_undone_by_an_old_record() -> None:
    assert judged(service(COMPLETED), record={"status": "ROLLBACK_IN_PROGRESS"})[0] == "done"


@pytest.mark.parametrize(
    ("deployments", "configuration", "record", "verdict"),
    [
        pytest.param(
            [deployment(2, "ACTIVE", rolloutState="FAILED"), deployment(3)], {}, None, "superseded", id="a third one"
        ),
        pytest.param(
            [deployment(2, "ACTIVE", rolloutState="FAILED"), deployment(1)],
            {"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
            None,
            "rolled back",
            id="the former one, by the breaker",
        ),
        pytest.param(
            [deployment(2, "ACTIVE", rolloutState="FAILED"), deployment(1)],
            {"alarms": {"enable": True, "rollback": True}},
            None,
            "rolled back",
            id="the former one, by an alarm",
        ),
        pytest.param([deployment(2, rolloutState="FAILED")], {}, None, "failed", id="failed, and nothing goes back"),
        pytest.param([deployment(1)], {}, None, "rolled back", id="ours is gone, and the former one is back"),
        pytest.param(
            [deployment(9, taskDefinition="web:1")], {}, None, "superseded", id="the former revision by somebody else"
        ),
        pytest.param(
            [deployment(9, taskDefinition="web:1")],
            {},
            {"status": "ROLLBACK_IN_PROGRESS"},
            "rolled back",
            id="the former revision by ECS, which only the record knows",
        ),
        pytest.param(
            [deployment(2, "ACTIVE"), deployment(3)], {}, None, "superseded", id="ours is not PRIMARY any more"
        ),
        pytest.param([], {}, None, "superseded", id="no deployment at all"),
    ],
)
def test_who_took_over(
    deployments: list[dict[str, Any]], configuration: dict[str, Any], record: dict[str, Any] | None, verdict: str
) -> None:
    assert judged(service(*deployments, **configuration), record=record)[0] == verdict


def test_a_service_that_is_gone_has_failed() -> None:
    assert judged(None) == ("failed", "the service is gone")
