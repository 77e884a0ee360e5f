"""What becomes of service deployments, without an emulator."""

from __future__ import annotations

from typing import Any

import pytest

from deploylib.localaws.extension import history

SERVICE = "arn:aws:ecs:eu-central-1:111122223333:service/main/web"
BREAKER = "ECS deployment circuit breaker: tasks failed to start."


def deployment(identifier: str, state: str = "IN_PROGRESS", **fields: Any) -> dict[str, Any]:
    return {"id": identifier, "rolloutState": state, "runningCount": 0, "pendingCount": 0, "desiredCount": 2, **fields}


@pytest.fixture
def service() -> dict[str, Any]:
    """A service whose first deployment is complete and whose second has begun."""
    made: dict[str, Any] = {
        "serviceArn": SERVICE,
        "clusterArn": "arn:aws:ecs:eu-central-1:111122223333:cluster/main",
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
        "deployments": [deployment("two", failedTasks=1), deployment("one", "COMPLETED", runningCount=2)],
    }
    two, one = made["deployments"]
    history.begin(made, one, None, now="t1")
    history.settle(made, one, drained=True, now="t2")
    history.begin(made, two, one, now="t3")
    return made


def newest(service: dict[str, Any]) -> dict[str, Any]:
    return history.of(service)[0]


def test_an_update_is_pending_until_the_scheduler_looks_at_it(service: dict[str, Any]) -> None:
    assert (newest(service)["status"], "startedAt" in newest(service)) == ("PENDING", False)
    history.settle(service, service["deployments"][0], drained=False, now="t4")
    assert (newest(service)["status"], newest(service)["startedAt"]) == ("IN_PROGRESS", "t4")


def test_an_update_is_successful_only_when_no_older_task_is_left(service: dict[str, Any]) -> None:
    done = deployment("two", "COMPLETED")
    history.settle(service, done, drained=False, now="t4")
    assert newest(service)["status"] == "IN_PROGRESS"
    history.settle(service, done, drained=True, now="t5")
    assert (newest(service)["status"], newest(service)["finishedAt"]) == ("SUCCESSFUL", "t5")
    history.settle(service, done, drained=True, now="t6")
    assert newest(service)["finishedAt"] == "t5", "what is finished does not change"


def test_a_roll_back_names_where_it_goes_and_ends_when_that_serves(service: dict[str, Any]) -> None:
    one = service["deployments"][1]
    history.roll_back(service, BREAKER, one, now="t4")
    record = newest(service)
    assert (record["status"], record["statusReason"]) == ("ROLLBACK_IN_PROGRESS", BREAKER)
    assert record["rollback"]["serviceRevisionArn"] == history.revision_arn(service, one)
    history.settle(service, deployment("one", "COMPLETED"), drained=True, now="t5")
    assert (record["status"], record["statusReason"], record["finishedAt"]) == ("ROLLBACK_SUCCESSFUL", BREAKER, "t5")


def test_without_anything_to_go_back_to_the_roll_back_fails(service: dict[str, Any]) -> None:
    history.roll_back(service, BREAKER, None, now="t4")
    record = newest(service)
    assert record["status"] == "ROLLBACK_FAILED"
    assert record["statusReason"] == f"{BREAKER} No rollback candidate was found to run the rollback."


def test_what_fails_on_its_way_back_has_failed_for_good(service: dict[str, Any]) -> None:
    history.roll_back(service, BREAKER, service["deployments"][1], now="t4")
    history.roll_back(service, BREAKER, None, now="t5")
    assert (newest(service)["status"], newest(service)["statusReason"]) == ("ROLLBACK_FAILED", BREAKER)


def test_a_failure_without_roll_back_stops_the_deployment(service: dict[str, Any]) -> None:
    history.fail(service, BREAKER, now="t4")
    assert (newest(service)["status"], newest(service)["stoppedAt"]) == ("STOPPED", "t4")


def test_a_newer_update_stops_the_one_under_way(service: dict[str, Any]) -> None:
    history.begin(service, deployment("three"), service["deployments"][0], now="t4")
    three, two, one = history.of(service)
    assert [record["status"] for record in (three, two, one)] == ["PENDING", "STOPPED", "SUCCESSFUL"]
    assert two["statusReason"] == history.SUPERSEDED


def test_a_forced_deployment_of_the_same_revision_is_a_record_of_its_own(service: dict[str, Any]) -> None:
    history.begin(service, service["deployments"][0], None, now="t4")
    arns = [record["serviceDeploymentArn"] for record in history.of(service)]
    assert len(set(arns)) == len(arns) == 3
    assert all(arn.startswith("arn:aws:ecs:eu-central-1:111122223333:service-deployment/main/web/") for arn in arns)


def test_the_list_tells_less_than_the_description(service: dict[str, Any]) -> None:
    told = history.full(newest(service), service, threshold=3)
    assert "targetServiceRevisionArn" not in told
    assert told["targetServiceRevision"]["arn"] == history.brief(newest(service))["targetServiceRevisionArn"]
    assert told["sourceServiceRevisions"][0]["runningTaskCount"] == 2
    assert told["deploymentCircuitBreaker"] == {"status": "MONITORING", "failureCount": 1, "threshold": 3}
    assert told["alarms"] == {"status": "DISABLED", "alarmNames": [], "triggeredAlarmNames": []}


def test_a_breaker_that_tripped_is_told(service: dict[str, Any]) -> None:
    history.fail(service, BREAKER, now="t4")
    assert history.full(newest(service), service, threshold=3)["deploymentCircuitBreaker"]["status"] == "TRIGGERED"


def test_no_identifier_can_be_made_of_what_a_client_knows(service: dict[str, Any]) -> None:
    record = newest(service)
    assert not record["targetServiceRevisionArn"].endswith("/two")
    assert not record["serviceDeploymentArn"].endswith("/two")
