"""What is to know of a rollout that failed: kinds of failures, targets, alarms, ECS's own messages."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import rollout, stopped
from deploylib.errors import AwsError
from tests.fakes import world as worlds

if TYPE_CHECKING:
    from deploylib.stopped import Evidence
    from tests.fakes.world import World

SPEC = worlds.ServiceSpec(
    key="web", containers={"app": "web", "nginx": "nginx"}, tasks=2, balanced=True, checked=False, breaker=False
)


def failed(world: World, *, seconds: float = 60) -> rollout.Target:
    """Release 2, and let it fail for a while."""
    revision = world.register("web", 2)
    answer = world.ecs.update_service(cluster=world.cluster, service=world.specs["web"].name, taskDefinition=revision)
    target = rollout.target("web", answer["service"], previous="")
    world.clock.advance(seconds)
    world.aws.forget_calls()
    return target


def evidence(world: World, target: rollout.Target) -> Evidence:
    definition = world.ecs.describe_task_definition(taskDefinition=target.revision)["taskDefinition"]
    return stopped.evidence(world.account, world.cluster, target, definition=definition)


def test_tasks_that_ended_the_same_way_are_told_once_with_their_number_and_the_newest_of_them() -> None:
    world = worlds.world(SPEC)
    world.ecs.behave(image=worlds.digest("web", 2), exits=1, after_seconds=0.2, log=("Traceback", "KeyError: 'DB'"))
    target = failed(world)
    (told,) = evidence(world, target).tasks
    mine = [one for one in world.ecs.tasks.values() if one.started_by == target.deployment and one.stop_code]
    assert told.count == len(mine) > 2
    assert (
        told.task == max((one for one in mine if "stoppedAt" in one.times), key=lambda one: one.times["stoppedAt"]).id
    )
    assert told.stop_code == "EssentialContainerExited"
    assert told.containers[0] == ("app", 1, "", "UNKNOWN")
    assert told.log == ("Traceback", "KeyError: 'DB'")
    assert dt.datetime.fromisoformat(told.stopped_at).tzinfo is not None


def test_the_commonest_failure_comes_first() -> None:
    world = worlds.world(SPEC)
    world.ecs.behave(image=worlds.digest("web", 2), exits=1, after_seconds=0.2)
    world.ecs.behave(image=worlds.digest("web", 2), pull_error="timeout", times=2)
    told = evidence(world, failed(world)).tasks
    assert [one.stop_code for one in told] == ["EssentialContainerExited", "TaskFailedToStart"]
    assert told[1].count == 2
    assert told[1].reason == "CannotPullContainerError: timeout"


def test_the_logs_of_several_containers_say_whose_they_are() -> None:
    world = worlds.world(SPEC)
    world.ecs.behave(image=worlds.digest("web", 2), exits=1, after_seconds=0.2, log=("no database",))
    world.ecs.behave(image=worlds.digest("nginx", 2), stop_code=2, log=("no upstream",))
    (told, *_) = evidence(world, failed(world)).tasks
    assert told.log == ("app | no database", "nginx | no upstream")


def test_a_task_that_the_scheduler_took_away_is_not_told_beside_one_that_failed() -> None:
    world = worlds.world(SPEC)
    world.ecs.behave(image=worlds.digest("web", 2), exits=1, after_seconds=0.2, times=1)
    target = failed(world, seconds=30)
    world.update("web", desiredCount=0)
    world.clock.advance(60)
    (told,) = evidence(world, target).tasks
    assert (told.stop_code, told.count) == ("EssentialContainerExited", 1)


def test_unhealthy_targets_are_told_with_the_reason() -> None:
    world = worlds.world(SPEC)
    world.ecs.behave(image=worlds.digest("web", 2), unhealthy="elb")
    found = evidence(world, failed(world, seconds=20)).targets
    assert {one.state for one in found} == {"unhealthy"}
    assert found[0].reason == "Target.ResponseCodeMismatch"
    assert found[0].description == "Health checks failed with these codes: [500]"
    assert found[0].target.endswith(":8000")


def test_the_alarm_that_made_ecs_go_back_is_told() -> None:
    world = worlds.world(SPEC)
    watched = {"alarmNames": ["errors", "latency"], "enable": True, "rollback": True}
    world.update("web", deploymentConfiguration={"alarms": watched})
    target = failed(world, seconds=5)
    world.ecs.alarm("latency")
    assert evidence(world, target).alarms == ("latency",)


def test_messages_are_what_is_unusual_and_new_oldest_first() -> None:
    world = worlds.world(SPEC)
    world.ecs.services[worlds.WEB].say("was unable to place a task, long ago.")
    target = failed(world, seconds=2)
    world.ecs.services[worlds.WEB].say("was unable to place a task.")
    world.ecs.services[worlds.WEB].say("(port 80) is unhealthy in (target-group web).")
    messages = evidence(world, target).messages
    assert [one.partition(") ")[2] for one in messages] == [
        "was unable to place a task.",
        "(port 80) is unhealthy in (target-group web).",
    ]


def test_since_is_when_the_deployment_began_by_awss_clock() -> None:
    world = worlds.world(SPEC)
    began = dt.datetime.fromtimestamp(world.clock.time(), tz=dt.UTC).isoformat(timespec="seconds")
    assert evidence(world, failed(world)).since == began


@pytest.mark.parametrize(
    ("operation", "lost"),
    [
        ("list_tasks", "tasks"),
        ("describe_tasks", "tasks"),
        ("describe_services", "messages"),
        ("describe_target_health", "targets"),
        ("list_service_deployments", "alarms"),
    ],
)
def test_what_may_not_be_read_costs_nothing_else(operation: str, lost: str) -> None:
    world = worlds.world(SPEC)
    watched = {"alarmNames": ["errors"], "enable": True, "rollback": False}
    world.update("web", deploymentConfiguration={"alarms": watched})
    world.ecs.behave(image=worlds.digest("nginx", 2), exits=1, after_seconds=6, times=1)
    world.ecs.behave(image=worlds.digest("web", 2), unhealthy="elb")
    target = failed(world, seconds=22)
    world.ecs.services[worlds.WEB].say("was unable to place a task.")
    world.ecs.services[worlds.WEB].records[0].alarms = ("errors",)
    client = world.aws.elbv2 if operation == "describe_target_health" else world.ecs
    client.refuse(operation, "AccessDeniedException", times=100)
    found = evidence(world, target)
    told = {name for name in ("tasks", "messages", "targets", "alarms") if getattr(found, name)}
    without_services = {"messages", "targets"} if operation == "describe_services" else {lost}
    assert told == {"tasks", "messages", "targets", "alarms"} - without_services


def test_evidence_takes_six_calls_and_one_for_each_log() -> None:
    world = worlds.world(SPEC)
    world.ecs.behave(image=worlds.digest("web", 2), exits=1, after_seconds=0.2)
    target = failed(world)
    evidence(world, target)
    world.aws.calls.pop("ecs:DescribeTaskDefinition")
    assert world.aws.calls == {
        "ecs:DescribeServices": 1,
        "ecs:ListTasks": 1,
        "ecs:DescribeTasks": 1,
        "ecs:ListServiceDeployments": 1,
        "ecs:DescribeServiceDeployments": 1,
        "elbv2:DescribeTargetHealth": 1,
        "logs:GetLogEvents": 1,
    }


# Kinds


def task(code: str = "EssentialContainerExited", reason: str = "", *containers: dict[str, Any]) -> dict[str, Any]:
    return {"stopCode": code, "stoppedReason": reason, "containers": list(containers)}


EXITED, SCHEDULER = "EssentialContainerExited", "ServiceSchedulerInitiated"
KINDS = {
    "app exited with code 1": task(EXITED, "Essential container in task exited", {"name": "app", "exitCode": 1}),
    "b exited with code 3": task(EXITED, "", {"name": "a", "exitCode": 137}, {"name": "b", "exitCode": 3}),
    "app exited with code 137 (OutOfMemoryError: container killed)": task(
        EXITED, "", {"name": "app", "exitCode": 137, "reason": "OutOfMemoryError: container killed"}
    ),
    "CannotPullContainerError: retried 5 time(s)": task(
        "TaskFailedToStart", "CannotPullContainerError: retried 5 time(s)", {"name": "app", "reason": "x"}
    ),
    "unable to pull secrets: request id: …": task(
        "TaskFailedToStart", "unable to pull secrets: request id: 7a1b2c3d-1111-2222-3333-444455556666"
    ),
    "Task failed ELB health checks in (target-group arn:x)": task(
        SCHEDULER, "Task failed ELB health checks in (target-group arn:x)", {"name": "app", "exitCode": 0}
    ),
    "(task …) (…:80) failed container health checks": task(
        SCHEDULER, "(task 0123456789abcdef0123456789abcdef) (10.0.3.17:80) failed container health checks"
    ),
    "SpotInterruption": task("SpotInterruption"),
    "stopped": task(""),
}


@pytest.mark.parametrize("words", KINDS)
def test_a_kind_of_failure_is_the_same_words_for_each_task(words: str) -> None:
    assert stopped.kind(KINDS[words]) == words


@pytest.mark.parametrize(
    ("ended", "fails"),
    [
        (task("EssentialContainerExited"), True),
        (task("TaskFailedToStart"), True),
        (task("ServiceSchedulerInitiated", "Task failed container health checks"), True),
        (task("ServiceSchedulerInitiated", "Scaling activity initiated by (deployment ecs-svc/1)"), False),
        (task("UserInitiated", "Task stopped by user"), False),
        (task("SpotInterruption", "Your Spot Task was interrupted."), False),
        (task("TerminationNotice", ""), False),
    ],
)
def test_a_task_that_was_taken_away_has_not_failed(ended: dict[str, Any], *, fails: bool) -> None:
    assert stopped.failed_by_itself(ended) is fails


def test_evidence_does_not_hide_a_fault_of_its_own() -> None:
    with pytest.raises(ZeroDivisionError):
        stopped._read(lambda: 1 // 0, 0)
    assert stopped._read(_refuses, "nothing") == "nothing"


def _refuses() -> str:
    raise AwsError("no", code="AccessDenied")
