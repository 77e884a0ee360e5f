"""Courses of deployments on a stage that only notes what is done to it, under a clock that jumps."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from deploylib.localaws.extension.codedeploy_book import RefusedError
from deploylib.localaws.extension.codedeploy_course import (
    EVENTS,
    Course,
    Deployment,
    Pace,
    Spec,
    follow,
    info,
    spec_of,
    target,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SPEC = Spec(definition="web:2", container="app", port=8000)
ROLL_BACK = frozenset({"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"})


@dataclass(slots=True)
class Stage:
    done: list[str] = field(default_factory=list)
    comes_up: bool = True
    active: tuple[str, ...] = ()
    executions: list[str] = field(default_factory=list)

    def original(self) -> str:
        return "blue"

    def install(self, spec: Spec, maker: str) -> str:
        assert maker.startswith("d-")
        self.done.append(f"install {spec.definition}")
        return "green"

    def steady(self, task_set: str) -> bool:
        assert task_set == "green"
        return self.comes_up

    def show(self, task_set: str) -> None:
        self.done.append(f"show {task_set}")

    def share(self, original: str, replacement: str, percent: int) -> None:
        assert {original, replacement} == {"blue", "green"}
        self.done.append(f"{percent} % to {replacement}")

    def promote(self, task_set: str) -> None:
        self.done.append(f"promote {task_set}")

    def delete(self, task_set: str) -> None:
        self.done.append(f"delete {task_set}")

    def call(self, function: str, deployment: str, execution: str) -> None:
        assert deployment.startswith("d-")
        self.done.append(f"call {function}")
        self.executions.append(execution)

    def alarms(self) -> tuple[str, ...]:
        return self.active


@dataclass
class Play:
    """A deployment on its course."""

    stage: Stage = field(default_factory=Stage)
    pace: Pace = field(default_factory=Pace)
    spec: Spec = SPEC
    time: float = 1000.0
    one: Deployment = field(
        default_factory=lambda: Deployment(
            application="shop", group="web", revision={}, created_at=1000.0, rolls_back_on=ROLL_BACK
        )
    )

    def __post_init__(self) -> None:
        self.course = Course(one=self.one, stage=self.stage, pace=self.pace, now=lambda: self.time)
        self.pauses = follow(self.course, self.course.steps(self.spec))

    def until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            self.time += next(self.pauses)

    def to_its_end(self) -> None:
        for pause in self.pauses:
            self.time += pause
        assert not self.one.active

    def back(self) -> Deployment:
        back = Deployment(application="shop", group="web", revision={}, created_at=self.time, back_of=self.one.id)
        returning = Course(one=back, stage=self.stage, pace=self.pace, now=lambda: self.time)
        for pause in follow(returning, returning.back(self.one)):
            self.time += pause
        return back

    def event(self, name: str) -> str:
        return str(self.one.events[name]["status"])


def test_a_deployment_does_one_thing_after_the_other() -> None:
    play = Play()
    play.to_its_end()
    steps = ["install web:2", "show green", "100 % to green", "promote green", "delete blue"]
    assert (play.one.status, play.stage.done) == ("Succeeded", steps)
    assert {play.event(name) for name in EVENTS} == {"Succeeded"}


def test_traffic_waits_between_its_shares() -> None:
    play = Play(pace=Pace(steps=((20, 5), (100, 0)), minute_seconds=60.0))
    play.until(lambda: play.one.share == 20)
    began = play.time
    play.until(lambda: play.one.share == 100)
    assert 300 <= play.time - began < 305


def test_the_original_waits_for_its_end_and_a_person_can_end_the_wait() -> None:
    play = Play(pace=Pace(termination_minutes=10))
    play.until(lambda: play.one.terminating)
    assert "delete blue" not in play.stage.done
    play.one.told_to_go_on = True
    began = play.time
    play.to_its_end()
    assert play.time - began < 5
    assert play.stage.done[-1] == "delete blue"


def test_an_original_that_is_kept_alive_is_not_deleted() -> None:
    play = Play(pace=Pace(keeps_original=True, termination_minutes=10))
    play.to_its_end()
    assert (play.one.status, play.stage.done[-1]) == ("Succeeded", "promote green")


def test_it_is_ready_before_any_traffic_moves_and_goes_on_when_told() -> None:
    play = Play(pace=Pace(ready_minutes=30, stops_when_not_ready=True))
    play.until(lambda: play.one.status == "Ready")
    assert (play.stage.done, play.event("BeforeAllowTraffic")) == (["install web:2", "show green"], "Pending")
    play.one.told_to_go_on = True
    play.to_its_end()
    assert play.one.status == "Succeeded"


@pytest.mark.parametrize(("stops", "status"), [(True, "Stopped"), (False, "Succeeded")])
def test_a_wait_that_nobody_ended_ends_as_the_group_says(*, stops: bool, status: str) -> None:
    play = Play(pace=Pace(ready_minutes=30, stops_when_not_ready=stops))
    play.to_its_end()
    assert play.one.status == status
    assert play.time - 1000 >= 30 * 60


def test_tasks_that_do_not_come_up_fail_the_deployment_after_an_hour_and_it_goes_back() -> None:
    play = Play(stage=Stage(comes_up=False))
    play.to_its_end()
    assert (play.one.status, play.one.error["code"], play.event("Install")) == ("Failed", "TIMEOUT", "Failed")
    assert play.event("AllowTraffic") == "Skipped"
    assert play.one.goes_back
    assert 3600 <= play.time - 1000 < 3700


def test_an_alarm_stops_it_and_the_way_back_restores_all_three_routes() -> None:
    play = Play(pace=Pace(steps=((20, 5), (100, 0))))
    play.until(lambda: play.one.share == 20)
    play.stage.active = ("errors",)
    play.to_its_end()
    assert (play.one.status, play.one.error["code"]) == ("Stopped", "ALARM_ACTIVE")
    play.stage.done.clear()
    back = play.back()
    assert play.stage.done == ["promote blue", "0 % to green", "show blue", "delete green"]
    assert (back.status, play.one.share) == ("Succeeded", 0)


HOOKED = Spec(definition="web:2", container="app", port=8000, hooks={"AfterAllowTestTraffic": "smoke"})


def test_a_hook_is_called_at_its_event_and_what_follows_waits_for_its_word() -> None:
    play = Play(spec=HOOKED)
    play.until(lambda: "call smoke" in play.stage.done)
    for _ in range(100):
        play.time += next(play.pauses)
    assert play.stage.done == ["install web:2", "show green", "call smoke"]
    play.one.hear(play.stage.executions[0], "Succeeded")
    play.to_its_end()
    assert (play.one.status, play.event("AfterAllowTestTraffic")) == ("Succeeded", "Succeeded")


def test_a_hook_that_says_no_fails_the_deployment_before_any_traffic_moved() -> None:
    play = Play(spec=HOOKED)
    play.until(lambda: bool(play.stage.executions))
    play.one.hear(play.stage.executions[0], "Failed")
    play.to_its_end()
    assert (play.one.status, play.one.error["code"]) == ("Failed", "HOOK_EXECUTION_FAILURE")
    event = play.one.events["AfterAllowTestTraffic"]
    assert (event["status"], event["diagnostics"]["message"]) == ("Failed", "smoke said Failed")
    assert (play.event("AllowTraffic"), play.one.goes_back) == ("Skipped", True)


def test_a_hook_that_never_answers_fails_after_an_hour() -> None:
    play = Play(spec=HOOKED)
    play.to_its_end()
    assert play.one.error["code"] == "HOOK_EXECUTION_FAILURE"
    assert 3600 <= play.time - 1000 < 3700


@pytest.mark.parametrize(
    ("execution", "status", "code"),
    [
        ("another", "Succeeded", "InvalidLifecycleEventHookExecutionIdException"),
        ("open", "InProgress", "InvalidLifecycleEventHookExecutionStatusException"),
        ("done", "Failed", "LifecycleEventAlreadyCompletedException"),
    ],
)
def test_a_word_of_no_hook_is_refused(execution: str, status: str, code: str) -> None:
    play = Play()
    play.one.executions.update(open="InProgress", done="Succeeded")
    with pytest.raises(RefusedError) as caught:
        play.one.hear(execution, status)
    assert caught.value.code == code


def test_a_person_stops_it_and_what_it_was_at_is_skipped() -> None:
    play = Play(stage=Stage(comes_up=False))
    play.until(lambda: play.event("Install") == "InProgress")
    play.one.end("Stopped", "MANUAL_STOP", "The deployment was stopped by a user.", now=play.time)
    assert list(play.pauses) == []
    assert (play.one.status, play.event("Install"), play.one.goes_back) == ("Stopped", "Skipped", True)


def test_without_a_roll_back_it_stays_where_it_ended() -> None:
    play = Play(stage=Stage(comes_up=False))
    play.one.rolls_back_on = frozenset({"DEPLOYMENT_STOP_ON_REQUEST"})
    play.to_its_end()
    assert (play.one.status, play.one.goes_back) == ("Failed", False)


def test_stopped_before_it_began_there_is_nothing_to_bring_back() -> None:
    play = Play()
    next(play.pauses)
    play.one.end("Stopped", "MANUAL_STOP", "", now=play.time)
    assert (play.back().status, play.stage.done) == ("Succeeded", [])


def test_what_is_told_has_both_task_sets_and_their_shares() -> None:
    play = Play(pace=Pace(steps=((20, 5), (100, 0))))
    play.until(lambda: play.one.share == 20)
    counts = {"runningCount": 2, "pendingCount": 0}
    told = target(play.one, "shop:web", "arn:service", {"blue": counts, "green": counts})["ecsTarget"]
    assert [(one["taskSetLabel"], one["trafficWeight"]) for one in told["taskSetsInfo"]] == [
        ("Blue", 80.0),
        ("Green", 20.0),
    ]
    assert [one["lifecycleEventName"] for one in told["lifecycleEvents"]] == list(EVENTS)
    assert info(play.one, {})["deploymentOverview"]["InProgress"] == 1


def appspec(**more: Any) -> dict[str, Any]:
    properties = {
        "TaskDefinition": "web:2",
        "LoadBalancerInfo": {"ContainerName": "app", "ContainerPort": 8000},
        "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": ["s"], "AssignPublicIp": "DISABLED"}},
        "CapacityProviderStrategy": [{"CapacityProvider": "FARGATE", "Base": 1, "Weight": 2}],
    }
    return {"version": 0.0, "Resources": [{"TargetService": {"Properties": properties}}], **more}


def test_an_appspec_says_the_revision_where_its_tasks_go_and_what_is_called() -> None:
    hooks = [{"AfterInstall": "check"}, {"AfterAllowTraffic": "watch"}]
    spec = spec_of({"appSpecContent": {"content": json.dumps(appspec(Hooks=hooks))}})
    assert spec.hooks == {"AfterInstall": "check", "AfterAllowTraffic": "watch"}
    assert (spec.definition, spec.container, spec.port) == ("web:2", "app", 8000)
    network = {"awsvpcConfiguration": {"subnets": ["s"], "assignPublicIp": "DISABLED"}}
    shares = [{"capacityProvider": "FARGATE", "base": 1, "weight": 2}]
    assert spec.placement == {"networkConfiguration": network, "capacityProviderStrategy": shares, "launchType": None}


@pytest.mark.parametrize(
    "revision",
    [
        {"s3Location": {"bucket": "b", "key": "k"}},
        {"appSpecContent": {"content": "{"}},
        {"appSpecContent": {"content": "Resources: []"}},
        {"appSpecContent": {"content": json.dumps(appspec(Hooks=[{"AfterLunch": "arn:aws:lambda:x"}]))}},
    ],
)
def test_a_revision_that_cannot_be_read_is_refused(revision: dict[str, Any]) -> None:
    with pytest.raises(RefusedError) as caught:
        spec_of(revision)
    assert caught.value.code == "InvalidRevisionException"
