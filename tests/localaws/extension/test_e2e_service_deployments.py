"""Service deployments and schedules on the real emulator, as their API tells them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.localaws.extension.emulated import SERVE, container, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.localaws.extension.emulated import Emulator

pytestmark = pytest.mark.e2e

ROLE = "arn:aws:iam::111122223333:role/scheduler"


def web(version: str, command: str = SERVE, *, image: str) -> dict[str, Any]:
    return container("web", command, image=image, environment=[{"name": "VERSION", "value": version}], stopTimeout=3)


def listed(aws: Emulator, service: str, **filters: Any) -> list[dict[str, Any]]:
    answer = aws.ecs.list_service_deployments(cluster="main", service=service, **filters)
    return list(answer["serviceDeployments"])


def described(aws: Emulator, service: str) -> dict[str, Any]:
    """Return the newest service deployment in full."""
    arn = listed(aws, service)[0]["serviceDeploymentArn"]
    answer = aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn])
    assert answer["failures"] == []
    return dict(answer["serviceDeployments"][0])


def finished(aws: Emulator, service: str) -> dict[str, Any]:
    until(lambda: "finishedAt" in listed(aws, service)[0])
    return described(aws, service)


def test_an_update_is_successful_when_the_last_old_task_has_stopped(
    aws: Emulator, service: Callable[..., str], image: str
) -> None:
    name = service(aws.register("web", web("v1", image=image)), desired=1, balanced=False)
    assert finished(aws, name)["status"] == "SUCCESSFUL"
    old = [task["taskArn"] for task in aws.tasks(name)]
    aws.update(name, aws.register("web", web("v2", image=image)))
    assert listed(aws, name)[0]["status"] in {"PENDING", "IN_PROGRESS"}
    (source,) = described(aws, name)["sourceServiceRevisions"]
    assert source["arn"] == listed(aws, name)[1]["targetServiceRevisionArn"]
    done = finished(aws, name)
    assert (done["status"], done["targetServiceRevision"]["runningTaskCount"]) == ("SUCCESSFUL", 1)
    assert {aws.task(arn)["lastStatus"] for arn in old} == {"STOPPED"}
    assert done["createdAt"] <= done["startedAt"] <= done["finishedAt"]
    assert [one["status"] for one in listed(aws, name)] == ["SUCCESSFUL", "SUCCESSFUL"]
    assert listed(aws, name, status=["IN_PROGRESS"]) == []
    assert len(listed(aws, name, createdAt={"after": done["createdAt"]})) == 1
    with pytest.raises(aws.ecs.exceptions.ConflictException, match="SUCCESSFUL"):
        aws.ecs.stop_service_deployment(serviceDeploymentArn=done["serviceDeploymentArn"])


def test_the_breaker_s_roll_back_is_told_with_its_reason(
    aws: Emulator, service: Callable[..., str], image: str
) -> None:
    name = service(aws.register("web", web("v1", image=image)), desired=1, balanced=False)
    finished(aws, name)
    aws.update(name, aws.register("web", web("bad", "exit 3", image=image)))
    done = finished(aws, name)
    assert done["status"] == "ROLLBACK_SUCCESSFUL"
    assert done["statusReason"] == "ECS deployment circuit breaker: tasks failed to start."
    assert done["deploymentCircuitBreaker"] == {"status": "TRIGGERED", "failureCount": 3, "threshold": 3}
    assert done["rollback"]["serviceRevisionArn"] == listed(aws, name)[1]["targetServiceRevisionArn"]


def test_a_deployment_that_is_stopped_goes_back_also_without_a_breaker(
    aws: Emulator, service: Callable[..., str], image: str
) -> None:
    off = {"deploymentCircuitBreaker": {"enable": False, "rollback": False}}
    name = service(aws.register("web", web("v1", image=image)), desired=1, balanced=False, deploymentConfiguration=off)
    finished(aws, name)
    old = {task["taskArn"] for task in aws.tasks(name)}
    aws.update(name, aws.register("web", web("slow", f"sleep 1; {SERVE}", image=image)))
    arn = listed(aws, name)[0]["serviceDeploymentArn"]
    assert aws.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")["serviceDeploymentArn"] == arn
    done = finished(aws, name)
    assert (done["status"], done["statusReason"]) == ("ROLLBACK_SUCCESSFUL", "Service deployment stopped by user.")
    assert {task["taskArn"] for task in aws.tasks(name)} == old
    assert done["deploymentCircuitBreaker"]["status"] == "DISABLED"


def test_what_is_not_there_is_missing(aws: Emulator) -> None:
    gone = "arn:aws:ecs:eu-central-1:111122223333:service-deployment/main/web/gone"
    answer = aws.ecs.describe_service_deployments(serviceDeploymentArns=[gone])
    assert answer["failures"] == [{"arn": gone, "reason": "MISSING"}]
    with pytest.raises(aws.ecs.exceptions.ServiceNotFoundException):
        listed(aws, "gone")
    with pytest.raises(aws.ecs.exceptions.ServiceDeploymentNotFoundException):
        aws.ecs.stop_service_deployment(serviceDeploymentArn=gone)


def test_a_schedule_that_is_updated_keeps_only_what_the_update_names(aws: Emulator) -> None:
    scheduler, name = aws.client("scheduler"), f"tidy-{uuid.uuid4().hex[:8]}"
    target = {
        "Arn": "arn:aws:ecs:eu-central-1:111122223333:cluster/main",
        "RoleArn": ROLE,
        "EcsParameters": {"TaskDefinitionArn": "tidy:1", "LaunchType": "FARGATE"},
    }
    always = {"Name": name, "FlexibleTimeWindow": {"Mode": "OFF"}, "ScheduleExpression": "rate(1 day)"}
    scheduler.create_schedule(**always, Target=target, Description="tidies", State="DISABLED")
    moved = {**target, "EcsParameters": {"TaskDefinitionArn": "tidy:2", "LaunchType": "FARGATE"}}
    scheduler.update_schedule(**always, Target=moved)
    found = scheduler.get_schedule(Name=name)
    assert found["Target"] == moved
    assert (found["State"], found.get("Description", "")) == ("ENABLED", "")
    actions = [call["action"] for call in aws.calls() if call["service"] == "scheduler"]
    assert actions[-3:] == ["CreateSchedule", "UpdateSchedule", "GetSchedule"]
