"""CodeDeploy as a state machine under a fake clock: deployments to ECS, event by event, over `task_sets.TaskSets`.

Say with `groups[…]` how a group is set up and what happens on the way: which hook fails, how traffic moves, how long it
waits. `alarm`, `stop_deployment` and `continue_deployment` are what others do meanwhile. It follows AWS: one deployment
at a time, and a roll-back is a deployment of its own.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from tests.fakes.clock import when
from tests.fakes.door import FakeClient, Refused, Response, operation
from tests.fakes.task_sets import TaskSets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.fakes.clock import FakeClock
    from tests.fakes.ecs import FakeEcs
    from tests.fakes.services import Deployment as TaskSet

ACTIVE = ("Created", "Queued", "InProgress", "Baking", "Ready")
EVENTS = (
    *("BeforeInstall", "Install", "AfterInstall", "AllowTestTraffic"),
    *("AfterAllowTestTraffic", "BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"),
)
SECONDS = 1.0  # what an event takes in which nothing happens


@dataclass(slots=True, kw_only=True)
class Group:
    """A deployment group, and what happens in its deployments.

    `steps` are shares of the traffic, each with the seconds until the next; `failing` the events whose hook fails.
    A wait for a person of `ready_wait_seconds` ends as `at_timeout` says; `install_seconds` is CodeDeploy's patience.
    """

    application: str
    name: str
    service: str
    green_group: str
    rolls_back: bool = True
    steps: tuple[tuple[float, float], ...] = ((100.0, 0.0),)
    ready_wait_seconds: float = 0.0
    at_timeout: str = "STOP_DEPLOYMENT"
    termination_wait_seconds: float = 5.0
    install_seconds: float = 3600.0
    failing: frozenset[str] = frozenset()
    routing: dict[str, Any] = field(default_factory=lambda: {"type": "AllAtOnce"})
    test_listener: str = ""


@dataclass(slots=True, kw_only=True, eq=False)
class Deployment:
    """One deployment: its status, and the events so far."""

    id: str
    group: Group
    revision: Mapping[str, Any]
    created_at: float
    rolls_back: bool
    description: str = ""
    creator: str = "user"
    status: str = "Created"
    events: dict[str, str] = field(default_factory=lambda: dict.fromkeys(EVENTS, "Pending"))
    weight: float = 0.0
    error: dict[str, str] = field(default_factory=dict)
    terminating: bool = False
    told_to_go_on: bool = False
    back: str = ""
    back_of: str = ""
    blue: TaskSet | None = None
    green: TaskSet | None = None


class FakeCodeDeploy(FakeClient):
    """The `codedeploy` client."""

    service: ClassVar[str] = "codedeploy"

    def __init__(self, clock: FakeClock, *, ecs: FakeEcs, **shared: Any) -> None:
        super().__init__(clock, **shared)
        self._ecs = ecs
        self.groups: dict[str, Group] = {}
        self.deployments: dict[str, Deployment] = {}
        self.others: set[str] = set()  # applications of the compute platform Server
        self._numbers = itertools.count(1)

    # For tests

    def have(self, application: str, name: str, service: str, green_group: str) -> Group:
        """Have a deployment group of that service, as Terraform makes it."""
        group = Group(application=application, name=name, service=service, green_group=green_group)
        self.groups[name] = group
        self._task_sets(group).green_group = green_group
        return group

    def bring(self, service: str, revision: str) -> Deployment:
        """Start a deployment as somebody else does, and wait for its end."""
        made = self.start(service, revision)
        self.clock.advance_until(lambda: made.status not in ACTIVE)
        return made

    def start(self, service: str, revision: str) -> Deployment:
        """Start a deployment as somebody else does."""
        group = next(one for one in self.groups.values() if one.service == service)
        spec = {"Resources": [{"TargetService": {"Properties": {"TaskDefinition": revision}}}]}
        return self._make(group, {"appSpecContent": {"content": json.dumps(spec), "sha256": ""}})

    @property
    def newest(self) -> Deployment:
        return list(self.deployments.values())[-1]

    def alarm(self, group: str) -> None:
        """Have an alarm of the group go off."""
        for one in list(self.deployments.values()):
            if one.group.name == group and one.status in ACTIVE:
                self._end(one, "Stopped", "ALARM_ACTIVE", "One or more alarms have been activated: errors")

    # Operations

    @operation
    def create_deployment(self, **request: Any) -> Response:
        group = self._group(request)
        if any(one.group is group and one.status in ACTIVE for one in self.deployments.values()):
            raise Refused("DeploymentLimitExceededException", "The deployment group already has an active Deployment.")
        back = request.get("autoRollbackConfiguration", {}).get("enabled", group.rolls_back)
        made = self._make(group, request["revision"], back=back, description=request.get("description", ""))
        return {"deploymentId": made.id}

    @operation
    def get_deployment(self, **request: Any) -> Response:
        return {"deploymentInfo": _info(self._deployment(request["deploymentId"]))}

    @operation
    def batch_get_deployments(self, **request: Any) -> Response:
        return {"deploymentsInfo": [_info(self._deployment(one)) for one in request["deploymentIds"]]}

    @operation
    def list_applications(self, **request: Any) -> Response:
        return {"applications": sorted({one.application for one in self.groups.values()} | self.others)}

    @operation
    def batch_get_applications(self, **request: Any) -> Response:
        kinds = {name: "Server" if name in self.others else "ECS" for name in request["applicationNames"]}
        known = [{"applicationName": name, "computePlatform": kind} for name, kind in kinds.items()]
        return {"applicationsInfo": known}

    @operation
    def list_deployment_groups(self, **request: Any) -> Response:
        name = request["applicationName"]
        found = [one.name for one in self.groups.values() if one.application == name]
        return {"applicationName": name, "deploymentGroups": found}

    @operation
    def batch_get_deployment_groups(self, **request: Any) -> Response:
        names, application = request["deploymentGroupNames"], request["applicationName"]
        found = [self.groups[one] for one in names]
        return {"deploymentGroupsInfo": [self._group_info(one) for one in found if one.application == application]}

    @operation
    def get_deployment_group(self, **request: Any) -> Response:
        return {"deploymentGroupInfo": self._group_info(self._group(request))}

    @operation
    def get_deployment_config(self, **request: Any) -> Response:
        name = request["deploymentConfigName"]
        routing = next(one.routing for one in self.groups.values() if f"{one.name}-traffic" == name)
        known = {"deploymentConfigName": name, "computePlatform": "ECS", "trafficRoutingConfig": routing}
        return {"deploymentConfigInfo": known}

    @operation
    def list_deployments(self, **request: Any) -> Response:
        group, wanted = self._group(request), request.get("includeOnlyStatuses")
        found = [one for one in self.deployments.values() if one.group is group]
        return {"deployments": [one.id for one in reversed(found) if wanted is None or one.status in wanted]}

    @operation
    def get_deployment_target(self, **request: Any) -> Response:
        one = self._deployment(request["deploymentId"])
        if one.status == "Created":
            raise Refused("DeploymentNotStartedException", "The deployment has not started.")
        cluster = self._ecs.cluster.rpartition("/")[2]
        if request["targetId"] != f"{cluster}:{one.group.service}":
            raise Refused("DeploymentTargetDoesNotExistException", "The target does not exist.")
        return {"deploymentTarget": {"deploymentTargetType": "ECSTarget", "ecsTarget": self._target(one)}}

    @operation
    def stop_deployment(self, **request: Any) -> Response:
        one = self._deployment(request["deploymentId"])
        if one.status not in ACTIVE:
            raise Refused("DeploymentAlreadyCompletedException", "The deployment is already completed.")
        one.rolls_back = request.get("autoRollbackEnabled", one.rolls_back)
        self._end(one, "Stopped", "MANUAL_STOP", "The deployment was stopped by a user")
        return {"status": "Succeeded"}

    @operation
    def continue_deployment(self, **request: Any) -> Response:
        one = self._deployment(request["deploymentId"])
        wait = request.get("deploymentWaitType", "READY_WAIT")
        if one.status not in ACTIVE:
            raise Refused("DeploymentAlreadyCompletedException", "The deployment is already completed.")
        if not (one.terminating if wait == "TERMINATION_WAIT" else one.status == "Ready"):
            raise Refused("DeploymentIsNotInReadyStateException", "The deployment is not in that state.")
        one.told_to_go_on = True
        return {}

    # The state machine

    def _make(
        self, group: Group, revision: Mapping[str, Any], *, back: bool = True, description: str = ""
    ) -> Deployment:
        made = Deployment(
            id=f"d-{next(self._numbers):09d}",
            group=group,
            revision=revision,
            created_at=self.clock.time(),
            rolls_back=back,
            description=description,
        )
        self.deployments[made.id] = made
        self._go(made, self._course(made))
        return made

    def _go(self, one: Deployment, course: Iterator[float]) -> None:
        """Take the next step of *course* now, and the one after it when the seconds that it yields are over."""
        if one.status not in ACTIVE:
            return
        seconds = next(course, None)
        if seconds is not None:
            self.clock.after(seconds, lambda: self._go(one, course))

    def _course(self, one: Deployment) -> Iterator[float]:
        sets = self._task_sets(one.group)
        yield SECONDS
        one.status, one.blue = "InProgress", sets.primary
        for event in EVENTS:
            if event == "BeforeAllowTraffic":
                yield from self._ready(one)
            one.events[event] = "InProgress"
            yield SECONDS
            if event in one.group.failing:
                one.events[event] = "Failed"
                self._end(one, "Failed", "HOOK_EXECUTION_FAILURE", "One of the lifecycle event hooks failed")
                yield 0.0
            if event == "Install":
                yield from self._install(one, sets)
            if event == "AllowTraffic":
                yield from self._shift(one, sets)
            one.events[event] = "Succeeded"
        one.terminating, one.told_to_go_on = True, False
        yield from self._wait(one, one.group.termination_wait_seconds)
        sets.delete(one.blue)
        one.status = "Succeeded"

    def _install(self, one: Deployment, sets: TaskSets) -> Iterator[float]:
        one.green = sets.create(_definition(one.revision), one.id)
        until = self.clock.monotonic() + one.group.install_seconds
        while not sets.healthy(one.green):
            if self.clock.monotonic() > until:
                one.events["Install"] = "Failed"
                self._end(one, "Failed", "TIMEOUT", "The tasks of the replacement did not become healthy")
            yield SECONDS

    def _ready(self, one: Deployment) -> Iterator[float]:
        if not one.group.ready_wait_seconds:
            return
        one.status = "Ready"
        yield from self._wait(one, one.group.ready_wait_seconds)
        if not one.told_to_go_on and one.group.at_timeout == "STOP_DEPLOYMENT":
            self._end(one, "Stopped", "TIMEOUT", "The deployment timed out while it waited to be continued")
            yield 0.0
        one.status = "InProgress"

    def _wait(self, one: Deployment, seconds: float) -> Iterator[float]:
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until and not one.told_to_go_on:
            yield SECONDS

    def _shift(self, one: Deployment, sets: TaskSets) -> Iterator[float]:
        for weight, seconds in one.group.steps:
            one.weight = weight
            yield seconds
        assert one.green
        sets.promote(one.green)

    def _end(self, one: Deployment, status: str, code: str, message: str) -> None:
        """End a deployment before its time, and roll it back if that is asked for.

        The roll-back is listed before the deployment that it is of tells of it.
        """
        one.status, one.error = status, {"code": code, "message": message}
        if not one.rolls_back:
            return
        sets = self._task_sets(one.group)
        back = Deployment(
            id=f"d-{next(self._numbers):09d}",
            group=one.group,
            revision={},
            created_at=self.clock.time(),
            rolls_back=False,
            creator="codeDeployRollback",
            status="InProgress",
            back_of=one.id,
        )
        self.deployments[back.id] = back
        self.clock.after(SECONDS, lambda: self._back(one, back, sets))

    def _back(self, one: Deployment, back: Deployment, sets: TaskSets) -> None:
        if one.blue:
            sets.promote(one.blue)
        if one.green:
            sets.delete(one.green)
        one.weight, one.back, back.status = 0.0, back.id, "Succeeded"

    # Finding and describing

    def _task_sets(self, group: Group) -> TaskSets:
        found = self._ecs.services[group.service]
        assert isinstance(found, TaskSets)
        return found

    def _group(self, request: Mapping[str, Any]) -> Group:
        group = self.groups.get(request["deploymentGroupName"])
        if group is None:
            raise Refused("DeploymentGroupDoesNotExistException", "No Deployment Group found.")
        if group.application != request["applicationName"]:
            raise Refused("ApplicationDoesNotExistException", "No application found.")
        return group

    def _deployment(self, name: str) -> Deployment:
        if name not in self.deployments:
            raise Refused("DeploymentDoesNotExistException", "The deployment does not exist.")
        return self.deployments[name]

    def _group_info(self, group: Group) -> dict[str, Any]:
        shown = {"testTrafficRoute": {"listenerArns": [group.test_listener]}} if group.test_listener else {}
        waits = group.ready_wait_seconds
        return {
            "applicationName": group.application,
            "deploymentGroupName": group.name,
            "deploymentConfigName": f"{group.name}-traffic",
            "computePlatform": "ECS",
            "ecsServices": [{"clusterName": self._ecs.cluster.rpartition("/")[2], "serviceName": group.service}],
            "loadBalancerInfo": {
                "targetGroupPairInfoList": [{"prodTrafficRoute": {"listenerArns": ["arn:listener"]}, **shown}]
            },
            "blueGreenDeploymentConfiguration": {
                "deploymentReadyOption": {
                    "actionOnTimeout": group.at_timeout if waits else "CONTINUE_DEPLOYMENT",
                    "waitTimeInMinutes": int(waits // 60),
                },
                "terminateBlueInstancesOnDeploymentSuccess": {
                    "action": "TERMINATE",
                    "terminationWaitTimeInMinutes": int(group.termination_wait_seconds // 60),
                },
            },
        }

    def _target(self, one: Deployment) -> dict[str, Any]:
        sets = (("Blue", one.blue, 100.0 - one.weight), ("Green", one.green, one.weight))
        return {
            "deploymentId": one.id,
            "lifecycleEvents": [_event(one, name, status) for name, status in one.events.items()],
            "status": "InProgress",
            "taskSetsInfo": [
                {"identifer": made.id, "taskSetLabel": label, "trafficWeight": weight, "status": made.status}
                for label, made, weight in sets
                if made
            ],
        }


def _event(one: Deployment, name: str, status: str) -> dict[str, Any]:
    failed = {"diagnostics": {"errorCode": "ScriptFailed", "message": "the hook said no", "logTail": ""}}
    return {"lifecycleEventName": name, "status": status, **(failed if status == "Failed" else {})}


def _info(one: Deployment) -> dict[str, Any]:
    return {
        "applicationName": one.group.application,
        "deploymentGroupName": one.group.name,
        "deploymentId": one.id,
        "revision": one.revision,
        "status": one.status,
        "description": one.description,
        "creator": one.creator,
        "createTime": when(one.created_at),
        "instanceTerminationWaitTimeStarted": one.terminating,
        "autoRollbackConfiguration": {"enabled": one.rolls_back},
        "computePlatform": "ECS",
        **({"errorInformation": one.error} if one.error else {}),
        **({"rollbackInfo": {"rollbackDeploymentId": one.back}} if one.back else {}),
        **({"rollbackInfo": {"rollbackTriggeringDeploymentId": one.back_of}} if one.back_of else {}),
    }


def _definition(revision: Mapping[str, Any]) -> str:
    spec = json.loads(revision["appSpecContent"]["content"])
    return str(spec["Resources"][0]["TargetService"]["Properties"]["TaskDefinition"])
