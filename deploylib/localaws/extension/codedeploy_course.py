"""A deployment of CodeDeploy to ECS, event by event: what it does to the service and its load balancer, in which order.

The course is a generator: it yields the seconds until its next step, and whoever follows it sees to the time. What it
moves is behind `Stage`. Whatever ends a deployment early ends its course, and a roll-back is a deployment of its own.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import yaml

from deploylib.localaws.extension.codedeploy_book import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Document = dict[str, Any]

ACTIVE = ("Created", "Queued", "InProgress", "Baking", "Ready")
EVENTS = (
    *("BeforeInstall", "Install", "AfterInstall", "AllowTestTraffic"),
    *("AfterAllowTestTraffic", "BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"),
)
HOOKS = frozenset({"BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic"})
WHOLE, NONE = 100, 0
LOOK_SECONDS = 0.2
INSTALL_SECONDS = 3600.0
HOOK_SECONDS = 3600.0
MINUTE_SECONDS = 60.0
RUNNING = "InProgress"
# A roll-back for each way to end early.
FAILED, STOPPED, ALARM = "DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST", "DEPLOYMENT_STOP_ON_ALARM"
BY_CODE = {"MANUAL_STOP": STOPPED, "ALARM_ACTIVE": ALARM}


class EndedError(Exception):
    """The deployment ends here, before its time."""

    def __init__(self, code: str, message: str, *, status: str = "Failed") -> None:
        super().__init__(message)
        self.code, self.status = code, status


class Stage(Protocol):
    """The service that is moved, with its two target groups and listeners. Raises `EndedError` when it is gone."""

    def original(self) -> str:
        """Return the id of the task set that has the traffic."""

    def install(self, spec: Spec, maker: str) -> str:
        """Make the replacement task set in the free target group, and return its id."""

    def steady(self, task_set: str) -> bool:
        """Whether a task set runs, healthy, all that it is to run."""

    def show(self, task_set: str) -> None:
        """Let the test listener forward to a task set, where there is one."""

    def share(self, original: str, replacement: str, percent: int) -> None:
        """Let the production listener forward *percent* of the requests to the replacement, the rest not."""

    def promote(self, task_set: str) -> None:
        """Make a task set the primary one."""

    def delete(self, task_set: str) -> None:
        """Delete a task set."""

    def call(self, function: str, deployment: str, execution: str) -> None:
        """Call the function of a lifecycle hook; it answers by PutLifecycleEventHookExecutionStatus."""

    def alarms(self) -> tuple[str, ...]:
        """Return the names of the group's alarms that are active."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What an AppSpec says: the revision, where its tasks go, and the function of each lifecycle hook."""

    definition: str
    container: str
    port: int
    placement: Mapping[str, Any] = field(default_factory=dict)
    hooks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How traffic moves (shares in percent, each with the minutes until the next), and how long is waited for whom.

    A minute of a shift or of the wait for termination takes *minute_seconds*; people take their time.
    """

    steps: tuple[tuple[int, int], ...] = ((WHOLE, 0),)
    ready_minutes: int = 0
    stops_when_not_ready: bool = False
    termination_minutes: int = 0
    keeps_original: bool = False
    minute_seconds: float = MINUTE_SECONDS


@dataclass(slots=True, kw_only=True, eq=False)
class Deployment:
    """One deployment: its status, and the events so far. Times are seconds since the epoch."""

    application: str
    group: str
    revision: Mapping[str, Any]
    created_at: float
    config: str = ""
    rolls_back_on: frozenset[str] = frozenset()
    description: str = ""
    creator: str = "user"
    id: str = field(default_factory=lambda: f"d-{secrets.token_hex(5).upper()[:9]}")
    status: str = "Created"
    started_at: float | None = None
    ended_at: float | None = None
    events: dict[str, Document] = field(default_factory=lambda: {name: {"status": "Pending"} for name in EVENTS})
    share: int = NONE
    error: Document = field(default_factory=dict)
    terminating: bool = False
    told_to_go_on: bool = False
    back: str = ""
    back_of: str = ""
    original: str = ""
    replacement: str = ""
    executions: dict[str, str] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        """Whether it has not ended."""
        return self.status in ACTIVE

    @property
    def goes_back(self) -> bool:
        """Whether the end that it came to is one that is rolled back."""
        return bool(self.error) and BY_CODE.get(self.error["code"], FAILED) in self.rolls_back_on

    def hear(self, execution: str, status: str) -> None:
        """Note what the function of a hook said."""
        if execution not in self.executions:
            message = f"There is no lifecycle event hook execution {execution}."
            raise RefusedError("InvalidLifecycleEventHookExecutionIdException", message)
        if self.executions[execution] != RUNNING:
            raise RefusedError("LifecycleEventAlreadyCompletedException", f"The hook said so already: {execution}")
        if status not in ("Succeeded", "Failed"):
            raise RefusedError("InvalidLifecycleEventHookExecutionStatusException", f"A hook cannot say {status}.")
        self.executions[execution] = status

    def end(self, status: str, code: str, message: str, *, now: float) -> None:
        """End before its time: the event that it is at fails, or is skipped when somebody wanted the end."""
        for event in self.events.values():
            if event["status"] == "InProgress":
                event.update(status="Failed" if status == "Failed" else "Skipped", endTime=now)
            elif event["status"] == "Pending":
                event["status"] = "Skipped"
        self.status, self.ended_at, self.error = status, now, {"code": code, "message": message}


def spec_of(revision: Mapping[str, Any]) -> Spec:
    """Read the AppSpec of a revision; raise `RefusedError` for one that cannot be read, or that is elsewhere."""
    content = (revision.get("appSpecContent") or revision.get("string") or {}).get("content")
    if not content:
        message = "The local AWS takes the AppSpec in the request (AppSpecContent), not from S3 or GitHub."
        raise RefusedError("InvalidRevisionException", message)
    try:
        document = yaml.safe_load(content)
        (resource,) = document["Resources"]
        properties = next(iter(resource.values()))["Properties"]
        balancer = properties["LoadBalancerInfo"]
        found = Spec(
            definition=properties["TaskDefinition"],
            container=balancer["ContainerName"],
            port=int(balancer["ContainerPort"]),
            placement=dict(_placement(properties)),
            hooks={event: str(function) for one in document.get("Hooks") or () for event, function in one.items()},
        )
    except (yaml.YAMLError, ArithmeticError, KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise RefusedError("InvalidRevisionException", f"The AppSpec cannot be read: {error!r}") from error
    if wrong := sorted(set(found.hooks) - HOOKS):
        raise RefusedError("InvalidRevisionException", f"There is no hook at {', '.join(wrong)}.")
    return found


def _placement(properties: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield where the tasks go, as ECS calls it: the AppSpec writes the same names with a capital."""
    if network := (properties.get("NetworkConfiguration") or {}).get("AwsvpcConfiguration"):
        yield "networkConfiguration", {"awsvpcConfiguration": {_small(key): value for key, value in network.items()}}
    if platform := properties.get("PlatformVersion"):
        yield "platformVersion", platform
    if shares := properties.get("CapacityProviderStrategy"):
        yield "capacityProviderStrategy", [{_small(key): value for key, value in one.items()} for one in shares]
        yield "launchType", None


def _small(name: str) -> str:
    return name[:1].lower() + name[1:]


@dataclass(slots=True, kw_only=True)
class Course:
    """The steps of one deployment. *now* is the clock, in seconds since the epoch."""

    one: Deployment
    stage: Stage
    pace: Pace
    now: Any

    def steps(self, spec: Spec) -> Iterator[float]:
        """Take the steps of a deployment of *spec*; yield the seconds until the next. Raises `EndedError`."""
        yield LOOK_SECONDS
        self.one.original = self.stage.original()
        self._begin()
        for event in EVENTS:
            if event == "BeforeAllowTraffic":
                yield from self._ready()
            self.one.events[event].update(status="InProgress", startTime=self.now())
            yield LOOK_SECONDS
            yield from self._event(event, spec)
            self.one.events[event].update(status="Succeeded", endTime=self.now())
        yield from self._terminate()
        self._succeed()

    def back(self, failed: Deployment) -> Iterator[float]:
        """Take the steps of a roll-back: the original task set gets all requests, the replacement is deleted."""
        self._begin()
        self.one.original, self.one.replacement, self.one.share = failed.replacement, failed.original, WHOLE
        for name, event in self.one.events.items():
            event["status"] = "Succeeded" if name == "AllowTraffic" else "Skipped"
        if failed.original:
            self.stage.promote(failed.original)
            self.stage.share(failed.original, failed.replacement, NONE)
            self.stage.show(failed.original)
        failed.share = NONE
        yield LOOK_SECONDS
        if failed.replacement:
            self.stage.delete(failed.replacement)
        self._succeed()

    def heed_alarms(self) -> None:
        """End here when an alarm of the group is active, unless this brings the original back already."""
        if not self.one.back_of and (active := self.stage.alarms()):
            message = f"One or more alarms have been activated: {', '.join(active)}"
            raise EndedError("ALARM_ACTIVE", message, status="Stopped")

    def _begin(self) -> None:
        self.one.status, self.one.started_at = "InProgress", self.now()

    def _succeed(self) -> None:
        self.one.status, self.one.ended_at = "Succeeded", self.now()

    def _event(self, event: str, spec: Spec) -> Iterator[float]:
        if event == "Install":
            yield from self._install(spec)
        if event == "AllowTestTraffic":
            self.stage.show(self.one.replacement)
        if event == "AllowTraffic":
            yield from self._shift()
        if event in spec.hooks:
            yield from self._hook(event, spec.hooks[event])

    def _install(self, spec: Spec) -> Iterator[float]:
        self.one.replacement = self.stage.install(spec, self.one.id)
        until = self.now() + INSTALL_SECONDS
        while not self.stage.steady(self.one.replacement):
            if self.now() > until:
                raise EndedError("TIMEOUT", "The tasks of the replacement task set did not become healthy in time.")
            yield LOOK_SECONDS

    def _hook(self, event: str, function: str) -> Iterator[float]:
        execution, until = secrets.token_hex(16), self.now() + HOOK_SECONDS
        self.one.executions[execution] = RUNNING
        self.stage.call(function, self.one.id, execution)
        while self.one.executions[execution] == RUNNING and self.now() < until:
            yield LOOK_SECONDS
        if self.one.executions[execution] != "Succeeded":
            said = f"{function} said {self.one.executions.pop(execution)}"
            self.one.events[event]["diagnostics"] = {
                "errorCode": "ScriptFailed",
                "scriptName": function,
                "message": said,
            }
            raise EndedError("HOOK_EXECUTION_FAILURE", f"The hook at {event} has failed.")

    def _ready(self) -> Iterator[float]:
        if not self.pace.ready_minutes:
            return
        self.one.status, self.one.told_to_go_on = "Ready", False
        yield from self._wait(self.pace.ready_minutes * MINUTE_SECONDS)
        if not self.one.told_to_go_on and self.pace.stops_when_not_ready:
            message = "The deployment timed out while waiting for a notification to continue."
            raise EndedError("TIMEOUT", message, status="Stopped")
        self.one.status = "InProgress"

    def _shift(self) -> Iterator[float]:
        for share, minutes in self.pace.steps:
            self.stage.share(self.one.original, self.one.replacement, share)
            self.one.share = share
            yield from self._wait(minutes * self.pace.minute_seconds, patient=True)
        self.stage.promote(self.one.replacement)

    def _terminate(self) -> Iterator[float]:
        if self.pace.keeps_original:
            return
        self.one.terminating, self.one.told_to_go_on = True, False
        yield from self._wait(self.pace.termination_minutes * self.pace.minute_seconds)
        self.stage.delete(self.one.original)

    def _wait(self, seconds: float, *, patient: bool = False) -> Iterator[float]:
        until = self.now() + seconds
        while self.now() < until and (patient or not self.one.told_to_go_on):
            yield LOOK_SECONDS


def follow(course: Course, steps: Iterator[float]) -> Iterator[float]:
    """Yield the seconds between the steps of a course until the deployment has ended, by itself or by others."""
    while course.one.active:
        try:
            course.heed_alarms()
            yield next(steps, LOOK_SECONDS)
        except EndedError as ended:
            course.one.end(ended.status, ended.code, str(ended), now=course.now())


# ── what is told


def info(one: Deployment, group: Mapping[str, Any]) -> Document:
    """Return a deployment as GetDeployment tells it."""
    times = {"createTime": one.created_at, "startTime": one.started_at, "completeTime": one.ended_at}
    told = {
        "applicationName": one.application,
        "deploymentGroupName": one.group,
        "deploymentConfigName": one.config,
        "deploymentId": one.id,
        "revision": one.revision,
        "status": one.status,
        "description": one.description,
        "creator": one.creator,
        "computePlatform": "ECS",
        "ignoreApplicationStopFailures": False,
        "updateOutdatedInstancesOnly": False,
        "instanceTerminationWaitTimeStarted": one.terminating,
        "autoRollbackConfiguration": {"enabled": bool(one.rolls_back_on), "events": sorted(one.rolls_back_on)},
        "deploymentOverview": _overview(one),
        "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        "errorInformation": one.error,
        "rollbackInfo": _rolled_back(one),
        **{name: group[name] for name in ("blueGreenDeploymentConfiguration", "loadBalancerInfo") if name in group},
    }
    return {**{name: value for name, value in told.items() if value not in ({}, None)}, **_known(times)}


def _rolled_back(one: Deployment) -> Document:
    if one.back:
        return {"rollbackDeploymentId": one.back}
    message = f"Deployment {one.back_of} is rolled back."
    return {"rollbackTriggeringDeploymentId": one.back_of, "rollbackMessage": message} if one.back_of else {}


def _known(times: Mapping[str, float | None]) -> Document:
    return {name: value for name, value in times.items() if value is not None}


def _overview(one: Deployment) -> Document:
    names = ("Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Ready")
    return {name: int(name == _state(one)) for name in names}


def _state(one: Deployment) -> str:
    """Return the status of the deployment's one target."""
    return {"Created": "Pending", "Queued": "Pending", "Baking": "InProgress", "Stopped": "Failed"}.get(
        one.status, one.status
    )


def target(one: Deployment, name: str, arn: str, sets: Mapping[str, Document]) -> Document:
    """Return the one target of a deployment, the service: its events, and what is left of the two task *sets*."""
    shares = (("Blue", one.original, WHOLE - one.share), ("Green", one.replacement, one.share))
    told = {
        "deploymentId": one.id,
        "targetId": name,
        "targetArn": arn,
        "lastUpdatedAt": one.ended_at or one.started_at or one.created_at,
        "status": _state(one),
        "lifecycleEvents": [_event(event, **found) for event, found in one.events.items()],
        "taskSetsInfo": [
            {**sets[identifier], "identifer": identifier, "taskSetLabel": label, "trafficWeight": float(share)}
            for label, identifier, share in shares
            if identifier in sets
        ],
    }
    return {"deploymentTargetType": "ECSTarget", "ecsTarget": told}


def _event(name: str, *, status: str, **more: Any) -> Document:
    return {"lifecycleEventName": name, "status": status, **more}
