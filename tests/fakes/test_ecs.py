"""The fake ECS behaves as AWS does; the tests of rollouts stand on these."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from deploylib.errors import AwsError
from tests.fakes.services import Habits
from tests.fakes.tasks import Timing
from tests.fakes.world import JOB, MIGRATE, WEB, ServiceSpec, World, digest, many, network, world


def described(made: World, name: str = WEB) -> dict[str, Any]:
    answer = made.ecs.describe_services(cluster=made.cluster, services=[name])
    return dict(answer["services"][0])


def deployments(made: World, name: str = WEB) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in described(made, name)["deployments"]}


def tasks(made: World, desired: str = "RUNNING", name: str = WEB) -> list[dict[str, Any]]:
    """Return the service's tasks as a client sees them."""
    pages = made.ecs.get_paginator("list_tasks").paginate(cluster=made.cluster, serviceName=name, desiredStatus=desired)
    arns = [arn for page in pages for arn in page["taskArns"]]
    return [
        task
        for first in range(0, len(arns), 100)
        for task in made.ecs.describe_tasks(cluster=made.cluster, tasks=arns[first : first + 100])["tasks"]
    ]


def state(made: World, deployment: str, name: str = WEB) -> str:
    return str(deployments(made, name).get(deployment, {}).get("rolloutState", "gone"))


def one(key: str = "web", **changes: Any) -> ServiceSpec:
    known: dict[str, Any] = {"containers": {"app": "web"}, "tasks": 2, "balanced": True}
    return ServiceSpec(key=key, **{**known, **changes})


# Rolling on


def test_a_world_is_settled_and_has_made_no_calls() -> None:
    made = world()
    assert made.ecs.revisions(WEB) == Counter({f"{WEB}:1": 2})
    assert made.ecs.revisions(JOB) == Counter({f"{JOB}:1": 1})
    assert not made.aws.calls
    assert not made.aws.log
    assert described(made)["events"][0]["message"] == f"(service {WEB}) has reached a steady state."


def test_a_world_that_was_never_released_stands_on_the_templates_at_zero() -> None:
    made = world(released=False)
    assert described(made)["taskDefinition"] == made.templates["web"]
    assert described(made)["desiredCount"] == 0
    assert described(made)["deployments"][0]["rolloutState"] == "COMPLETED"


def test_a_new_revision_gets_a_new_primary_deployment_and_the_answer_carries_its_id() -> None:
    made = world()
    former = described(made)["deployments"][0]["id"]
    ours = made.release("web", 2)
    assert ours != former
    assert ours.startswith("ecs-svc/")
    assert {key: value["status"] for key, value in deployments(made).items()} == {ours: "PRIMARY", former: "ACTIVE"}
    made.settle()
    assert list(deployments(made)) == [ours]
    assert state(made, ours) == "COMPLETED"
    assert made.ecs.live(WEB) == Counter({f"{WEB}:2": 2})


def test_tasks_of_a_service_carry_the_deployment_that_started_them() -> None:
    made = world()
    (ours,) = deployments(made)
    assert {(task["startedBy"], task["group"]) for task in tasks(made)} == {(ours, f"service:{WEB}")}


def test_an_update_that_changes_nothing_makes_no_deployment() -> None:
    made = world()
    (former,) = deployments(made)
    assert made.update("web", taskDefinition=described(made)["taskDefinition"]) == former
    assert made.update("web", desiredCount=3) == former
    assert made.update("web", networkConfiguration=network()) == former


@pytest.mark.parametrize(
    "change",
    [{"forceNewDeployment": True}, {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-9"]}}}],
)
def test_force_and_a_new_network_make_a_deployment_of_the_same_revision(change: dict[str, Any]) -> None:
    made = world()
    (former,) = deployments(made)
    assert made.update("web", **change) != former
    made.settle()
    assert made.ecs.live(WEB) == Counter({f"{WEB}:1": 2})


def test_draining_tasks_are_invisible_until_one_asks_for_stopped_ones() -> None:
    made = world()
    ours = made.release("web", 2)
    made.clock.advance_until(lambda: state(made, ours) == "COMPLETED")
    assert {task["taskDefinitionArn"].rsplit(":", 1)[-1] for task in tasks(made)} == {"2"}
    draining = tasks(made, "STOPPED")
    assert {task["lastStatus"] for task in draining} == {"DEACTIVATING"}
    assert {task["desiredStatus"] for task in draining} == {"STOPPED"}
    assert described(made)["runningCount"] == 2


@pytest.mark.parametrize(
    ("completes", "left"),
    [("healthy", {"RUNNING": 2}), ("draining", {"DEACTIVATING": 2}), ("stopped", {"STOPPED": 2})],
)
def test_when_a_deployment_completes_can_be_chosen(completes: Any, left: dict[str, int]) -> None:
    made = world()
    made.ecs.habits = Habits(completes=completes)
    ours = made.release("web", 2)
    made.clock.advance_until(lambda: state(made, ours) == "COMPLETED")
    old = [task for task in made.ecs.tasks_of(WEB) if task.started_by != ours]
    assert Counter(task.status for task in old) == left


def test_a_task_goes_through_every_step_in_order() -> None:
    made = world()
    made.release("web", 2)
    seen: dict[str, list[str]] = {}
    while not made.ecs.steady(WEB):
        made.clock.advance(0.1)
        for task in made.ecs.tasks_of(WEB):
            steps = seen.setdefault(task.revision[-1], [])
            steps += [task.status] if task.status not in steps else []
    assert seen["2"] == ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING"]
    assert seen["1"] == ["RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"]


def test_stopped_tasks_are_forgotten_after_an_hour() -> None:
    made = world()
    made.release("web", 2)
    made.settle()
    assert len(tasks(made, "STOPPED")) == 2
    made.clock.advance(3601)
    assert tasks(made, "STOPPED") == []


def test_a_replaced_deployment_can_stay_listed_as_inactive() -> None:
    made = world()
    made.ecs.habits = Habits(inactive_kept_seconds=60)
    (former,) = deployments(made)
    made.release("web", 2)
    made.settle()
    assert deployments(made)[former]["status"] == "INACTIVE"
    made.clock.advance(70)
    assert former not in deployments(made)


@settings(max_examples=25)
@given(
    desired=st.integers(0, 12),
    minimum=st.sampled_from([0, 50, 100]),
    spare=st.sampled_from([10, 50, 100]),
    balanced=st.booleans(),
)
def test_a_rollout_keeps_within_its_bounds_and_ends(*, desired: int, minimum: int, spare: int, balanced: bool) -> None:
    most, fewest = desired * (100 + spare) // 100, math.ceil(desired * minimum / 100)
    assume(most > fewest or not desired)  # ECS itself never gets on where one may neither add a task nor take one
    made = world(one(tasks=desired, balanced=balanced, minimum_percent=minimum, maximum_percent=100 + spare))
    ours = made.release("web", 2)

    def completed() -> bool:
        mine = made.ecs.tasks_of(WEB)
        assert fewest <= sum(task.proven for task in mine)
        assert sum(task.wanted for task in mine) <= most
        return state(made, ours) == "COMPLETED"

    made.clock.advance_until(completed)
    made.settle()
    assert made.ecs.live(WEB) == Counter({f"{WEB}:2": desired} if desired else {})


def test_a_service_without_room_for_more_stops_old_tasks_first() -> None:
    made = world(one(minimum_percent=0, maximum_percent=100))
    made.release("web", 2)
    made.clock.advance(2)
    assert made.ecs.revisions(WEB) == Counter()
    made.settle()
    assert made.ecs.live(WEB) == Counter({f"{WEB}:2": 2})


def test_scaling_in_the_middle_of_a_rollout_is_followed() -> None:
    made = world()
    ours = made.release("web", 2)
    made.clock.advance(8)
    assert made.update("web", desiredCount=1) == ours
    made.settle()
    assert made.ecs.live(WEB) == Counter({f"{WEB}:2": 1})
    made.update("web", desiredCount=5)
    made.settle()
    assert made.ecs.live(WEB) == Counter({f"{WEB}:2": 5})


def test_another_update_in_the_middle_of_a_rollout_takes_over() -> None:
    made = world()
    ours = made.release("web", 2)
    made.clock.after(7, lambda: made.release("web", 3))
    made.clock.advance(7)
    assert deployments(made)[ours]["status"] == "ACTIVE"
    made.settle()
    assert ours not in deployments(made)
    assert made.ecs.live(WEB) == Counter({f"{WEB}:3": 2})


def test_a_task_that_ignores_sigterm_is_killed_at_its_stop_timeout() -> None:
    made = world()
    made.ecs.behave(image=digest("web", 2), ignores_sigterm=True)
    made.release("web", 2)
    made.settle()
    made.release("web", 3)
    made.settle()
    old = [task for task in tasks(made, "STOPPED") if task["taskDefinitionArn"].endswith(":2")]
    assert [(c["name"], c["exitCode"]) for c in old[0]["containers"]] == [("app", 137), ("nginx", 0), ("metrics", 0)]
    assert (old[0]["executionStoppedAt"] - old[0]["stoppingAt"]).total_seconds() == pytest.approx(10 + 30)


# Failing


def test_the_breaker_rolls_back_after_three_tasks_that_exit() -> None:
    made = world()
    (former,) = deployments(made)
    made.ecs.behave(image=digest("web", 2), exits=1, after_seconds=0.2)
    ours = made.release("web", 2)
    made.clock.advance_until(lambda: state(made, ours) == "FAILED")
    now = deployments(made)
    assert (now[ours]["status"], now[former]["status"]) == ("ACTIVE", "PRIMARY")
    assert now[ours]["failedTasks"] >= 3
    assert now[ours]["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    assert now[former]["rolloutState"] == "IN_PROGRESS"
    assert now[former]["rolloutStateReason"].endswith(f"rolling back to deploymentId {former}.")
    assert described(made)["taskDefinition"].endswith(":1")
    made.settle()
    assert state(made, former) == "COMPLETED"
    assert made.ecs.live(WEB) == Counter({f"{WEB}:1": 2})


def test_a_rollback_can_be_a_new_deployment_of_the_former_revision() -> None:
    made = world()
    made.ecs.habits = Habits(rolls_back_to="new")
    (former,) = deployments(made)
    made.ecs.behave(image=digest("web", 2), exits=1)
    ours = made.release("web", 2)
    made.clock.advance_until(lambda: state(made, ours) == "FAILED")
    primary = described(made)["deployments"][0]
    assert primary["id"] not in (ours, former)
    assert primary["taskDefinition"].endswith(":1")
    made.settle()
    assert made.ecs.live(WEB) == Counter({f"{WEB}:1": 2})


@pytest.mark.parametrize(("seconds", "listed"), [(0, False), (120, True), (math.inf, True)])
def test_how_long_a_failed_deployment_stays_listed_can_be_chosen(seconds: float, *, listed: bool) -> None:
    made = world()
    made.ecs.habits = Habits(failed_kept_seconds=seconds)
    made.ecs.behave(image=digest("web", 2), exits=1)
    ours = made.release("web", 2)
    made.clock.advance_until(lambda: state(made, ours) == "FAILED")
    made.clock.advance(60)
    assert (ours in deployments(made)) is listed
    made.clock.advance(3000)
    assert (ours in deployments(made)) is (seconds == math.inf)


def test_without_rollback_the_former_deployment_keeps_its_tasks_and_nothing_more_is_started() -> None:
    made = world(one(rollback=False))
    (former,) = deployments(made)
    made.ecs.behave(image=digest("web", 2), exits=1)
    ours = made.release("web", 2)
    made.clock.advance_until(lambda: state(made, ours) == "FAILED")
    started = len(made.ecs.tasks_of(WEB))
    made.clock.advance(600)
    now = deployments(made)
    assert (now[ours]["status"], now[former]["status"]) == ("PRIMARY", "ACTIVE")
    assert now[former]["runningCount"] == 2
    assert len(made.ecs.tasks_of(WEB)) == started
    made.release("web", 3)
    made.settle()
    assert made.ecs.live(WEB) == Counter({f"{WEB}:3": 2})


def test_without_a_breaker_a_failing_rollout_goes_on_for_ever_and_a_good_one_ends_it() -> None:
    made = world(one(breaker=False))
    made.ecs.behave(image=digest("web", 2), exits=1)
    ours = made.release("web", 2)
    made.clock.advance(1800)
    assert state(made, ours) == "IN_PROGRESS"
    assert deployments(made)[ours]["failedTasks"] > 50
    assert any("unable to consistently start tasks" in event["message"] for event in described(made)["events"])
    assert made.ecs.revisions(WEB)[f"{WEB}:1"] == 2
    made.release("web", 3)
    made.settle()
    assert made.ecs.live(WEB) == Counter({f"{WEB}:3": 2})


@pytest.mark.parametrize(("desired", "threshold"), [(1, 3), (6, 3), (7, 4), (20, 10)])
def test_the_breaker_trips_at_half_of_the_tasks_but_not_before_three(desired: int, threshold: int) -> None:
    made = world(one(tasks=desired))
    made.ecs.behave(image=digest("web", 2), exits=1)
    ours = made.release("web", 2)
    most = 0
    while state(made, ours) == "IN_PROGRESS":
        most = max(most, int(deployments(made)[ours]["failedTasks"]))
        made.clock.advance(0.1)
    assert most < threshold
    assert made.ecs.services[WEB].breaker_threshold == threshold


def test_the_first_release_cannot_be_rolled_back() -> None:
    made = world(one(), released=False)
    made.ecs.services[WEB].last_completed = None
    made.ecs.behave(image=digest("web", 1), exits=1)
    ours = made.release("web", 1, desiredCount=2)
    made.clock.advance_until(lambda: state(made, ours) == "FAILED")
    assert list(deployments(made)) == [ours]


def test_a_task_that_ran_for_a_while_resets_the_count_so_a_late_crash_never_trips_the_breaker() -> None:
    made = world(one("job", balanced=False, checked=False))
    made.ecs.behave(image=digest("web", 2), exits=1, after_seconds=4)
    ours = made.release("job", 2)
    made.clock.advance_until(lambda: state(made, ours, JOB) == "COMPLETED")
    made.clock.advance(600)
    assert state(made, ours, JOB) == "COMPLETED"
    assert deployments(made, JOB)[ours]["failedTasks"] == 0
    assert len(made.ecs.tasks_of(JOB)) > 20


def test_a_behaviour_for_the_first_tasks_only_lets_the_rollout_recover() -> None:
    made = world()
    made.ecs.behave(image=digest("web", 2), exits=1, times=2)
    ours = made.release("web", 2)
    failed = []
    while state(made, ours) == "IN_PROGRESS":
        failed.append(int(deployments(made)[ours]["failedTasks"]))
        made.clock.advance(0.5)
    assert state(made, ours) == "COMPLETED"
    assert max(failed) == 2
    assert failed[-1] == 0


def stopped(made: World, revision: str = ":2") -> dict[str, Any]:
    """Return the first task of the revision that stopped."""
    return next(task for task in tasks(made, "STOPPED") if task["taskDefinitionArn"].endswith(revision))


def test_a_container_that_exits_is_explained() -> None:
    made = world()
    made.ecs.behave(image=digest("web", 2), exits=3, log=("cannot open the database",))
    ours = made.release("web", 2)
    made.clock.advance_until(lambda: state(made, ours) == "FAILED")
    task = stopped(made)
    assert (task["stopCode"], task["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert task["containers"][0]["exitCode"] == 3
    stream = f"web/app/{task['taskArn'].rsplit('/', 1)[-1]}"
    answer = made.logs.get_log_events(logGroupName="/guestbook/stg/web", logStreamName=stream, startFromHead=True)
    assert [event["message"] for event in answer["events"]] == ["cannot open the database"]


def test_an_image_that_cannot_be_pulled_is_explained_and_has_no_exit_code() -> None:
    made = world()
    made.ecs.behave(image=digest("web", 2), pull_error="failed to resolve ref: not found")
    ours = made.release("web", 2)
    made.clock.advance_until(lambda: state(made, ours) == "FAILED")
    task = stopped(made)
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"] == "CannotPullContainerError: failed to resolve ref: not found"
    assert all("exitCode" not in container for container in task["containers"])


def test_a_failing_container_health_check_is_seen_and_then_ends_the_task() -> None:
    made = world()
    made.ecs.behave(image=digest("web", 2), unhealthy="container")
    ours = made.release("web", 2)
    made.clock.advance_until(lambda: any(task.health == "UNHEALTHY" for task in made.ecs.tasks_of(WEB)))
    assert [task["healthStatus"] for task in tasks(made)].count("UNHEALTHY") == 2
    made.clock.advance_until(lambda: state(made, ours) == "FAILED")
    assert stopped(made)["stoppedReason"] == "Task failed container health checks"
    assert stopped(made)["stopCode"] == "ServiceSchedulerInitiated"
    assert stopped(made)["containers"][0]["healthStatus"] == "UNHEALTHY"
    made.settle()
    assert made.ecs.live(WEB) == Counter({f"{WEB}:1": 2})


def test_a_failing_load_balancer_check_ends_the_task_with_the_target_group() -> None:
    made = world()
    made.ecs.behave(image=digest("nginx", 2), unhealthy="elb")
    ours = made.release("web", 2)
    made.clock.advance_until(lambda: state(made, ours) == "FAILED")
    assert stopped(made)["stoppedReason"].startswith("Task failed ELB health checks in (target-group arn:aws:")


def test_a_health_check_that_is_not_there_cannot_fail() -> None:
    made = world()
    made.ecs.behave(image=digest("job", 2), unhealthy="container")
    made.release("job", 2)
    with pytest.raises(AssertionError, match="worker has no healthCheck"):
        made.clock.advance(60)


@pytest.mark.parametrize(("seconds", "ends"), [(5, "COMPLETED"), (60, "FAILED")])
def test_a_slow_start_is_borne_within_the_grace_period_only(seconds: float, ends: str) -> None:
    made = world()
    made.ecs.behave(image=digest("web", 2), slow_start_seconds=seconds)
    ours = made.release("web", 2)
    made.clock.advance_until(lambda: state(made, ours) in ("COMPLETED", "FAILED"))
    assert state(made, ours) == ends


def test_a_task_without_room_is_told_of_in_events_and_waited_for_for_ever() -> None:
    made = world()
    made.ecs.behave(image=digest("web", 2), unplaceable="Capacity is unavailable at this time", times=100)
    ours = made.release("web", 2)
    made.clock.advance(900)
    now = deployments(made)[ours]
    assert (now["rolloutState"], now["runningCount"], now["failedTasks"]) == ("IN_PROGRESS", 0, 0)
    message = described(made)["events"][0]["message"]
    assert message.startswith(f"(service {WEB}) was unable to place a task. Reason: Capacity is unavailable")
    made.clock.advance(900)
    assert state(made, ours) == "COMPLETED"


# What a client sees


def test_an_answer_may_be_older_than_the_update() -> None:
    made = world()
    made.ecs.habits = Habits(stale_seconds=5)
    ours = made.release("web", 2)
    assert ours not in deployments(made)
    made.clock.advance(5)
    assert ours in deployments(made)


def test_a_task_that_was_just_started_may_be_unknown() -> None:
    made = world()
    made.ecs.habits = Habits(tasks_appear_seconds=2)
    arn = run(made)["tasks"][0]["taskArn"]
    answer = made.ecs.describe_tasks(cluster=made.cluster, tasks=[arn])
    assert answer == {"tasks": [], "failures": [{"arn": arn, "reason": "MISSING"}]}
    made.clock.advance(2)
    assert made.ecs.describe_tasks(cluster=made.cluster, tasks=[arn])["tasks"]


def test_more_than_ten_services_and_a_hundred_tasks_come_in_pages() -> None:
    made = world(*many(23, tasks=11))
    names = [spec.name for spec in made.specs.values()]
    assert len(made.ecs.list_services(cluster=made.cluster)["serviceArns"]) == 10
    pages = made.ecs.get_paginator("list_services").paginate(cluster=made.cluster)
    assert len([arn for page in pages for arn in page["serviceArns"]]) == 23
    with pytest.raises(AwsError, match="more than 10") as refused:
        made.ecs.describe_services(cluster=made.cluster, services=names[:11])
    assert refused.value.code == "InvalidParameterException"
    pages = made.ecs.get_paginator("list_tasks").paginate(cluster=made.cluster)
    arns = [arn for page in pages for arn in page["taskArns"]]
    assert len(set(arns)) == 253
    assert made.aws.calls["ecs:ListTasks"] == 3
    with pytest.raises(AwsError, match="more than 100"):
        made.ecs.describe_tasks(cluster=made.cluster, tasks=arns[:101])


def test_what_is_missing_is_a_failure_in_the_answer() -> None:
    made = world()
    answer = made.ecs.describe_services(cluster=made.cluster, services=["no-such-service", WEB])
    assert [service["serviceName"] for service in answer["services"]] == [WEB]
    assert answer["failures"][0]["reason"] == "MISSING"
    with pytest.raises(AwsError) as refused:
        made.ecs.describe_services(cluster="elsewhere", services=[WEB])
    assert refused.value.code == "ClusterNotFoundException"


def test_tasks_of_a_service_and_a_starter_are_not_asked_for_at_once() -> None:
    made = world()
    with pytest.raises(AwsError, match="only filter"):
        made.ecs.list_tasks(cluster=made.cluster, serviceName=WEB, startedBy="me")


def test_an_answer_belongs_to_the_caller() -> None:
    made = world()
    answer = described(made)
    answer["deployments"][0]["status"] = "INACTIVE"
    answer["events"].clear()
    assert described(made)["deployments"][0]["status"] == "PRIMARY"
    assert described(made)["events"]


def test_throttled_calls_are_refused_and_counted() -> None:
    made = world()
    made.ecs.throttle(2, "describe_services")
    for _ in range(2):
        with pytest.raises(AwsError) as refused:
            described(made)
        assert refused.value.code == "ThrottlingException"
    assert described(made)["serviceName"] == WEB
    assert made.aws.calls == {"ecs:DescribeServices": 3}
    assert made.aws.writes == ()


def test_an_answer_can_be_lost_although_the_call_was_obeyed() -> None:
    made = world()
    revision = made.register("web", 2)
    made.ecs.refuse("update_service", "ConnectionClosedError", done=True)
    with pytest.raises(AwsError):
        made.update("web", taskDefinition=revision)
    assert described(made)["taskDefinition"] == revision
    assert made.aws.wrote == ("register_task_definition", "update_service")


# Task definitions


def test_a_field_that_aws_does_not_know_is_refused_as_boto3_does() -> None:
    made = world()
    template = made.ecs.describe_task_definition(taskDefinition=made.templates["web"])["taskDefinition"]
    with pytest.raises(ParamValidationError, match="registeredAt"):
        made.ecs.register_task_definition(**template)


def test_revisions_are_counted_by_family_and_come_back_with_aws_defaults() -> None:
    made = world()
    assert made.register("web", 2).endswith(f"/{WEB}:2")
    assert made.register("job", 2).endswith(f"/{JOB}:2")
    answer = made.ecs.describe_task_definition(taskDefinition=WEB, include=["TAGS"])
    container = answer["taskDefinition"]["containerDefinitions"][0]
    assert answer["taskDefinition"]["revision"] == 2
    assert {"key": "cost-centre", "value": "42"} in answer["tags"]
    assert container["mountPoints"] == []
    assert [variable["name"] for variable in container["environment"]] == ["APP_ENV", "GREETING"]
    assert "tags" not in made.ecs.describe_task_definition(taskDefinition=WEB)


@pytest.mark.parametrize("name", ["guestbook-stg-web:9", "arn:aws:ecs:us-east-1:1:task-definition/guestbook-stg-web:1"])
def test_a_revision_that_does_not_exist_cannot_be_rolled_out(name: str) -> None:
    made = world()
    with pytest.raises(AwsError, match="Unable to describe task definition"):
        made.update("web", taskDefinition=name)


def test_a_deregistered_revision_cannot_be_rolled_out_but_what_runs_goes_on() -> None:
    made = world()
    revision = described(made)["taskDefinition"]
    made.release("web", 2)
    made.settle()
    made.ecs.deregister_task_definition(taskDefinition=revision)
    with pytest.raises(AwsError, match="inactive"):
        made.update("web", taskDefinition=revision)
    assert made.ecs.describe_task_definition(taskDefinition=revision)["taskDefinition"]["status"] == "INACTIVE"


# One-off tasks


def run(made: World, **changes: Any) -> dict[str, Any]:
    request: dict[str, Any] = {
        "cluster": made.cluster,
        "taskDefinition": described(made)["taskDefinition"],
        "networkConfiguration": network(),
        "launchType": "FARGATE",
        "startedBy": "migration/web",
        "overrides": {"containerOverrides": [{"name": "app", "command": list(MIGRATE)}]},
    }
    return dict(made.ecs.run_task(**{**request, **changes}))


def finished(made: World, arn: str) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        return dict(made.ecs.describe_tasks(cluster=made.cluster, tasks=[arn])["tasks"][0])

    made.clock.advance_until(lambda: look()["lastStatus"] == "STOPPED")
    return look()


def test_a_one_off_task_ends_with_its_exit_code_and_takes_the_other_containers_along() -> None:
    made = world()
    made.ecs.behave(command=MIGRATE, exits=4, after_seconds=2, log=("begin", (1.5, "no such table")))
    task = finished(made, run(made)["tasks"][0]["taskArn"])
    assert {one["name"]: one["exitCode"] for one in task["containers"]} == {"app": 4, "nginx": 0, "metrics": 0}
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["group"] == f"family:{WEB}"


def test_a_one_off_task_of_unknown_behaviour_ends_well() -> None:
    made = world()
    assert finished(made, run(made)["tasks"][0]["taskArn"])["containers"][0]["exitCode"] == 0


def test_an_app_that_crashes_at_start_can_still_migrate_but_not_when_its_image_is_missing() -> None:
    made = world()
    made.ecs.behave(image=digest("web", 1), exits=1)
    assert finished(made, run(made)["tasks"][0]["taskArn"])["containers"][0]["exitCode"] == 0
    made.ecs.behave(image=digest("web", 1), pull_error="not found")
    assert finished(made, run(made)["tasks"][0]["taskArn"])["stopCode"] == "TaskFailedToStart"


def test_the_same_token_starts_a_task_once() -> None:
    made = world()
    first, second = run(made, clientToken="release-1"), run(made, clientToken="release-1")
    assert first["tasks"][0]["taskArn"] == second["tasks"][0]["taskArn"]
    with pytest.raises(AwsError) as refused:
        run(made, clientToken="release-1", count=2)
    assert refused.value.code == "ConflictException"
    made.clock.advance(24 * 3600 + 1)
    assert run(made, clientToken="release-1")["tasks"][0]["taskArn"] != first["tasks"][0]["taskArn"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"overrides": {"containerOverrides": [{"name": "nobody"}]}}, "container named nobody"),
        ({"startedBy": "has a space"}, "startedBy"),
        ({"count": 11}, "between 1 and 10"),
    ],
)
def test_a_wrong_one_off_task_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(AwsError, match=message):
        run(world(), **change)


def test_a_one_off_task_without_a_network_is_refused() -> None:
    made = world()
    with pytest.raises(AwsError, match="Network Configuration must be provided"):
        made.ecs.run_task(cluster=made.cluster, taskDefinition=described(made)["taskDefinition"])


def test_a_one_off_task_without_room_is_a_failure_in_the_answer() -> None:
    made = world()
    made.ecs.behave(image=digest("web", 1), unplaceable="Capacity is unavailable at this time")
    assert run(made) == {"tasks": [], "failures": [{"reason": "Capacity is unavailable at this time"}]}


def test_a_task_can_be_stopped_and_is_found_by_its_starter() -> None:
    made = world()
    made.ecs.behave(command=MIGRATE)
    arn = run(made)["tasks"][0]["taskArn"]
    made.clock.advance(20)
    assert made.ecs.list_tasks(cluster=made.cluster, startedBy="migration/web")["taskArns"] == [arn]
    made.ecs.stop_task(cluster=made.cluster, task=arn, reason="over its time limit")
    assert made.ecs.list_tasks(cluster=made.cluster, startedBy="migration/web")["taskArns"] == []
    task = finished(made, arn)
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "over its time limit")
    with pytest.raises(AwsError, match="not found"):
        made.ecs.stop_task(cluster=made.cluster, task="0" * 32)


def test_a_task_that_is_stopped_before_it_runs_never_runs() -> None:
    made = world()
    arn = run(made)["tasks"][0]["taskArn"]
    made.clock.advance(1)
    made.ecs.stop_task(cluster=made.cluster, task=arn)
    task = finished(made, arn)
    assert "startedAt" not in task
    assert "exitCode" not in task["containers"][0]


def test_every_duration_can_be_chosen() -> None:
    made = world()
    made.ecs.timing = Timing(provisioning=0.1, pulling=0.1, deprovisioning=0.1)
    made.ecs.behave(command=MIGRATE, exits=0, after_seconds=0.1)
    arn = run(made)["tasks"][0]["taskArn"]
    started = made.clock.monotonic()
    finished(made, arn)
    assert made.clock.monotonic() - started < 1


@settings(max_examples=25)
@given(wait=st.floats(0, 5000), proving=st.floats(0.1, 30))
def test_no_fraction_of_a_second_keeps_a_rollout_from_its_end(*, wait: float, proving: float) -> None:
    made = world(one("job", balanced=False, checked=False))
    made.ecs.timing = Timing(proving=proving)
    made.clock.advance(wait)
    made.release("job", 2)
    made.clock.advance_until(made.ecs.steady, at_most_seconds=300)
    assert made.ecs.live(JOB) == Counter({f"{JOB}:2": 2})


# Service deployments


def records(made: World, name: str = WEB) -> list[dict[str, Any]]:
    listed = made.ecs.list_service_deployments(cluster=made.cluster, service=name)["serviceDeployments"]
    arns = [one["serviceDeploymentArn"] for one in listed]
    described = made.ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"]
    return list(described)


def test_a_rollout_is_a_service_deployment_from_in_progress_to_successful() -> None:
    made = world()
    before = len(records(made))
    made.release("web", 2)
    assert records(made)[0]["status"] == "IN_PROGRESS"
    made.settle()
    assert records(made)[0]["status"] == "SUCCESSFUL"
    assert len(records(made)) == before + 1


def test_scaling_makes_no_service_deployment() -> None:
    made = world()
    before = len(records(made))
    made.update("web", desiredCount=5)
    made.settle()
    assert len(records(made)) == before


@pytest.mark.parametrize("back", ["former", "new"])
def test_a_roll_back_is_part_of_the_service_deployment_that_failed(back: Any) -> None:
    made = world(one())
    made.ecs.habits = Habits(rolls_back_to=back)
    before = len(records(made))
    made.ecs.behave(image=digest("web", 2), exits=1, after_seconds=0.1)
    made.release("web", 2)
    made.clock.advance_until(lambda: records(made)[0]["status"] == "ROLLBACK_IN_PROGRESS")
    assert "circuit breaker" in records(made)[0]["rollback"]["reason"]
    made.settle()
    assert [one["status"] for one in records(made)][:1] == ["ROLLBACK_SUCCESSFUL"]
    assert len(records(made)) == before + 1


def test_a_new_deployment_stops_the_service_deployment_before_it() -> None:
    made = world()
    made.release("web", 2)
    made.release("web", 3)
    assert [one["status"] for one in records(made)][:2] == ["IN_PROGRESS", "STOPPED"]


def test_a_deployment_that_a_person_stops_goes_back_without_a_breaker_too() -> None:
    made = world(one(breaker=False, rollback=False))
    ours = made.release("web", 2)
    arn = records(made)[0]["serviceDeploymentArn"]
    made.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    assert state(made, ours) == "FAILED"
    made.settle()
    assert made.ecs.live(WEB) == Counter({f"{WEB}:1": 2})
    with pytest.raises(AwsError, match="ConflictException"):
        made.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")


@pytest.mark.parametrize(("rollback", "left"), [(True, 1), (False, None)])
def test_an_alarm_ends_a_deployment_that_bakes(rollback: bool, left: int | None) -> None:  # noqa: FBT001  # a case
    made = world(one())
    alarms = {"alarmNames": ["errors"], "enable": True, "rollback": rollback}
    made.update("web", deploymentConfiguration={"alarms": alarms})
    made.ecs.habits = Habits(bake_seconds=60)
    ours = made.release("web", 2)
    made.clock.advance(40)
    assert state(made, ours) == "IN_PROGRESS"
    made.ecs.alarm("another")
    assert state(made, ours) == "IN_PROGRESS"
    made.ecs.alarm("errors")
    assert state(made, ours) == "FAILED"
    assert records(made)[0]["alarms"]["triggeredAlarmNames"] == ["errors"]
    made.clock.advance(120)
    assert made.ecs.live(WEB) == (Counter({f"{WEB}:{left}": 2}) if left else Counter())


def test_a_deployment_with_quiet_alarms_is_complete_when_it_has_baked() -> None:
    made = world(one())
    made.update("web", deploymentConfiguration={"alarms": {"alarmNames": ["e"], "enable": True, "rollback": True}})
    made.ecs.habits = Habits(bake_seconds=60)
    ours = made.release("web", 2)
    assert made.clock.advance_until(lambda: state(made, ours) == "COMPLETED") > 60


@pytest.mark.parametrize(("cleanup", "old"), [("DEFERRED", True), ("BLOCKING", False)])
def test_an_early_success_leaves_old_tasks_where_their_end_is_deferred(cleanup: str, old: bool) -> None:  # noqa: FBT001  # a case
    made = world(one(tasks=4, maximum_percent=125))
    early = {"enable": True, "healthyPercent": 50, "sourceServiceRevisionCleanup": cleanup}
    made.update("web", deploymentConfiguration={"earlySuccessCriteria": early})
    ours = made.release("web", 2)
    made.clock.advance_until(lambda: state(made, ours) == "COMPLETED")
    assert bool(made.ecs.revisions(WEB)[f"{WEB}:1"]) is old
    made.settle()
    assert made.ecs.live(WEB) == Counter({f"{WEB}:2": 4})


def test_without_room_tasks_wait_and_ecs_says_so() -> None:
    made = world(one())
    made.ecs.fill(40)
    made.release("web", 2)
    made.clock.advance(30)
    assert made.ecs.revisions(WEB) == Counter({f"{WEB}:1": 2})
    assert "unable to place a task" in described(made)["events"][0]["message"]
    made.settle()
    assert made.ecs.live(WEB) == Counter({f"{WEB}:2": 2})


def test_rebalancing_replaces_a_task_without_a_deployment() -> None:
    made = world()
    (ours,) = deployments(made)
    before = {task.id for task in made.ecs.tasks_of(WEB)}
    made.ecs.services[WEB].rebalance()
    made.settle()
    assert list(deployments(made)) == [ours]
    assert len({task.id for task in made.ecs.tasks_of(WEB)} - before) == 1


def test_a_container_that_runs_for_a_moment_resets_the_breakers_count() -> None:
    made = world(ServiceSpec(key="web", containers={"app": "web"}, tasks=2, checked=False))
    made.ecs.behave(image=digest("web", 2), exits=1, after_seconds=10)
    ours = made.release("web", 2)
    made.clock.advance(300)
    assert deployments(made)[ours]["failedTasks"] == 0
    assert sum(task.stop_code == "EssentialContainerExited" for task in made.ecs.tasks_of(WEB)) > 10
