"""Services on the real emulator: they roll out, fail, roll back and drain as on ECS."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.localaws.extension.emulated import SERVE, container, docker, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.localaws.extension.emulated import Balancer, Emulator

pytestmark = pytest.mark.e2e

SLOW_START = f"sleep 1; {SERVE}"


def web(version: str, command: str = SERVE, *, image: str, **fields: Any) -> dict[str, Any]:
    environment = [{"name": "VERSION", "value": version}]
    return container("web", command, image=image, environment=environment, stopTimeout=3, **fields)


class Clients:
    """Requests through the load balancer, again and again, until told to stop."""

    def __init__(self, aws: Emulator, balancer: Balancer, *paths: str) -> None:
        self.answers: Counter[tuple[int, str]] = Counter()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(aws, balancer, path)) for path in paths]

    def _ask(self, aws: Emulator, balancer: Balancer, path: str) -> None:
        while not self._over.is_set():
            self.answers[aws.get(balancer.name, path)] += 1

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def all_stopped(aws: Emulator, service: str, arns: list[str]) -> bool:
    told = {task["taskArn"]: task["lastStatus"] for task in aws.tasks(service, desiredStatus="STOPPED")}
    return all(told.get(arn) == "STOPPED" for arn in arns)


def test_a_rollout_under_load_loses_no_request_and_leaves_no_old_container(
    aws: Emulator, balancer: Balancer, service: Callable[..., str], image: str
) -> None:
    name = service(aws.register("web", web("v1", SLOW_START, image=image)))
    assert aws.get(balancer.name)[0] == 503
    first = aws.deployments(name)[0]
    assert aws.settled(name, first["id"])["rolloutState"] == "COMPLETED"
    old = [task["taskArn"] for task in aws.tasks(name)]
    with Clients(aws, balancer, "/cgi-bin/version", "/cgi-bin/version", "/cgi-bin/slow") as clients:
        until(lambda: clients.answers[200, "slow v1"])
        second = aws.update(name, aws.register("web", web("v2", SLOW_START, image=image)))
        until(lambda: aws.deployment(name, second)["rolloutState"] == "COMPLETED")
        until(lambda: all_stopped(aws, name, old))
        until(lambda: clients.answers[200, "slow v2"])
    assert {status for status, _ in clients.answers} == {200}
    assert [d["id"] for d in aws.deployments(name)] == [second]
    assert {task["startedBy"] for task in aws.tasks(name)} == {second}
    assert {task["startedBy"] for task in aws.tasks(name, desiredStatus="STOPPED")} == {first["id"]}
    for arn in old:
        task = aws.task(arn)
        assert task["stoppedReason"] == f"Scaling activity initiated by (deployment {second})"
        assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("ServiceSchedulerInitiated", 0)
        assert docker("ps", "-aq", "--filter", f"label=com.amazonaws.ecs.task-arn={arn}") == ""


def test_a_crashing_revision_trips_the_breaker_and_the_old_tasks_never_stop(
    aws: Emulator, balancer: Balancer, service: Callable[..., str], image: str
) -> None:
    name = service(aws.register("web", web("v1", image=image)))
    first = aws.deployments(name)[0]["id"]
    aws.settled(name, first)
    old = {task["taskArn"] for task in aws.tasks(name)}
    bad = aws.update(name, aws.register("web", web("bad", "echo dying; exit 3", image=image)))
    until(lambda: aws.deployment(name, bad)["rolloutState"] == "FAILED")
    failed = aws.deployment(name, bad)
    assert failed["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    assert (failed["status"], failed["failedTasks"], failed["desiredCount"]) == ("ACTIVE", 3, 0)
    assert aws.settled(name, first)["status"] == "PRIMARY"
    crashed = [task for task in aws.tasks(name, desiredStatus="STOPPED") if task["startedBy"] == bad]
    told = {(task["stopCode"], task["stoppedReason"], task["containers"][0].get("exitCode")) for task in crashed}
    assert ("EssentialContainerExited", "Essential container in task exited", 3) in told
    assert {task["taskArn"] for task in aws.tasks(name)} == old
    assert aws.get(balancer.name) == (200, "v1")
    failed_at = time.monotonic()
    until(lambda: not aws.deployment(name, bad))
    assert time.monotonic() - failed_at > 2, "the failed deployment must be seen for a while"
    good = aws.update(name, aws.register("web", web("v2", image=image)))
    assert aws.settled(name, good)["rolloutState"] == "COMPLETED"


def test_without_rollback_the_failed_deployment_stays_primary_beside_the_old_tasks(
    aws: Emulator, balancer: Balancer, service: Callable[..., str], image: str
) -> None:
    name = service(aws.register("web", web("v1", image=image)), desired=1, rollback=False)
    aws.settled(name, aws.deployments(name)[0]["id"])
    bad = aws.update(name, aws.register("web", web("bad", "exit 1", image=image)))
    failed = aws.settled(name, bad)
    assert (failed["status"], failed["rolloutState"]) == ("PRIMARY", "FAILED")
    assert aws.get(balancer.name) == (200, "v1")
    good = aws.update(name, aws.register("web", web("v2", image=image)))
    assert aws.settled(name, good)["rolloutState"] == "COMPLETED"
    until(lambda: aws.get(balancer.name) == (200, "v2"))


def test_a_first_deployment_from_zero_trips_the_breaker(aws: Emulator, service: Callable[..., str], image: str) -> None:
    name = service(aws.register("web", web("v0", "exit 1", image=image)), desired=0)
    first = aws.deployments(name)[0]["id"]
    assert aws.settled(name, first)["rolloutState"] == "COMPLETED"
    bad = aws.update(name, aws.register("web", web("v1", "exit 1", image=image)), desiredCount=2)
    failed = aws.settled(name, bad)
    assert (failed["rolloutState"], failed["failedTasks"]) == ("FAILED", 3)
    # What it rolls back to cannot start either: that fails too, and then nothing is started any more.
    assert aws.settled(name, first)["rolloutState"] == "FAILED"
    assert aws.tasks(name) == []


def test_a_target_that_answers_wrongly_is_stopped_and_named_as_the_reason(
    aws: Emulator, balancer: Balancer, service: Callable[..., str], image: str
) -> None:
    name = service(aws.register("web", web("v1", image=image)), desired=1)
    first = aws.deployments(name)[0]["id"]
    aws.settled(name, first)
    sick = f"mv /www/index.html /www/gone; {SERVE}"
    bad = aws.update(name, aws.register("web", web("bad", sick, image=image)))
    described = aws.client("elbv2").describe_target_health

    def states() -> dict[str, str]:
        told = described(TargetGroupArn=balancer.group)["TargetHealthDescriptions"]
        return {t["Target"]["Id"]: t["TargetHealth"].get("Reason", "healthy") for t in told}

    until(lambda: "Elb.InitialHealthChecking" in states().values())
    assert "healthy" in states().values()
    assert aws.settled(name, bad)["rolloutState"] == "FAILED"
    reasons = {task["stoppedReason"] for task in aws.tasks(name, desiredStatus="STOPPED") if task["startedBy"] == bad}
    assert f"Task failed ELB health checks in (target-group {balancer.group})" in reasons
    events = aws.ecs.describe_services(cluster="main", services=[name])["services"][0]["events"]
    assert any("(reason Health checks failed with these codes: [404])" in event["message"] for event in events)
    assert aws.get(balancer.name) == (200, "v1")


def test_a_container_whose_check_fails_is_stopped_and_named_as_the_reason(
    aws: Emulator, service: Callable[..., str], image: str
) -> None:
    check = {"command": ["CMD-SHELL", "test $VERSION = v1"], "interval": 5, "retries": 2}
    name = service(aws.register("web", web("v1", image=image, healthCheck=check)), desired=1, balanced=False)
    aws.settled(name, aws.deployments(name)[0]["id"])
    (task,) = aws.tasks(name)
    assert (task["healthStatus"], task["containers"][0]["healthStatus"]) == ("HEALTHY", "HEALTHY")
    bad = aws.update(name, aws.register("web", web("bad", image=image, healthCheck=check)))
    assert aws.settled(name, bad)["rolloutState"] == "FAILED"
    failed = [task for task in aws.tasks(name, desiredStatus="STOPPED") if task["startedBy"] == bad]
    assert ("UNHEALTHY", "Task failed container health checks") in {
        (task["healthStatus"], task["stoppedReason"]) for task in failed
    }


def test_a_task_that_is_killed_is_replaced(aws: Emulator, service: Callable[..., str], image: str) -> None:
    name = service(aws.register("web", web("v1", image=image)), desired=1, balanced=False)
    aws.settled(name, aws.deployments(name)[0]["id"])
    (task,) = aws.tasks(name)
    docker("rm", "-f", *docker("ps", "-q", "--filter", f"label=com.amazonaws.ecs.task-arn={task['taskArn']}").split())
    until(lambda: aws.stopped(task["taskArn"])["containers"][0]["exitCode"] == 137)
    until(lambda: [t["lastStatus"] for t in aws.tasks(name)] == ["RUNNING"])


def test_a_crash_loop_without_a_breaker_slows_down_and_ends_with_the_service(
    aws: Emulator, service: Callable[..., str], image: str
) -> None:
    off = {"deploymentCircuitBreaker": {"enable": False, "rollback": False}}
    definition = aws.register("loop", web("v1", "exit 1", image=image))
    name = service(definition, desired=1, balanced=False, deploymentConfiguration=off)
    until(lambda: aws.deployments(name)[0]["failedTasks"] >= 5)
    assert aws.deployments(name)[0]["rolloutState"] == "IN_PROGRESS"
    starts = sorted(task["createdAt"] for task in aws.tasks(name, desiredStatus="STOPPED"))
    assert len(starts) <= 7
    aws.ecs.delete_service(cluster="main", service=name, force=True)
    described = aws.ecs.describe_services
    until(lambda: described(cluster="main", services=[name])["services"][0]["status"] == "INACTIVE")


def test_an_unknown_or_inactive_task_definition_is_refused(
    aws: Emulator, service: Callable[..., str], image: str
) -> None:
    name = service(aws.register("web", web("v1", image=image)), desired=0, balanced=False)
    with pytest.raises(aws.ecs.exceptions.ClientException, match="TaskDefinition not found"):
        aws.update(name, "web:9999")
    inactive = aws.register("web", web("v2", image=image))
    aws.ecs.deregister_task_definition(taskDefinition=inactive)
    with pytest.raises(aws.ecs.exceptions.ClientException, match="TaskDefinition is inactive"):
        aws.update(name, inactive)
    newest = aws.ecs.describe_task_definition(taskDefinition="web")["taskDefinition"]
    assert newest["revision"] == int(inactive.rpartition(":")[2]) - 1


def test_what_terraform_asks_of_a_service_is_told_back(aws: Emulator, service: Callable[..., str], image: str) -> None:
    definition = aws.register("web", web("v1", image=image))
    name = service(
        definition, desired=0, balanced=False, availabilityZoneRebalancing="ENABLED", propagateTags="SERVICE"
    )
    updated = aws.ecs.update_service(cluster="main", service=name, propagateTags="TASK_DEFINITION")["service"]
    assert (updated["availabilityZoneRebalancing"], updated["propagateTags"]) == ("ENABLED", "TASK_DEFINITION")
