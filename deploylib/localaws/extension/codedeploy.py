"""CodeDeploy, which MiniStack does not have: services of ECS moved from one target group to another.

Each deployment has a thread that takes the steps of its course, under the lock of the service scheduler.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from ministack import app
from ministack.core.concurrency import spawn_background
from ministack.core.responses import get_account_id, get_region
from ministack.services import alb, cloudwatch, ecs, lambda_svc

from deploylib.localaws.extension import codedeploy_course, forwards, patching, task_sets
from deploylib.localaws.extension.codedeploy_book import Book, RefusedError, steps
from deploylib.localaws.extension.codedeploy_course import WHOLE, Course, Deployment, EndedError, Pace, Spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from deploylib.localaws.extension.services import Scheduler

Document = dict[str, Any]

PREFIX = "CodeDeploy_20141006."
READY, TERMINATION = "READY_WAIT", "TERMINATION_WAIT"
ROLLED_BACK_TO = "codeDeployRollback"


def install(scheduler: Scheduler, minute_seconds: float) -> None:
    """Answer what goes to CodeDeploy; a minute of a shift, or of a wait for termination, takes *minute_seconds*."""
    patching.require(alb, "_tgs", "_listeners")
    patching.require(cloudwatch, "_alarms")
    patching.require(lambda_svc, "_functions", "_resolve_name", "invoke_async_with_retry")
    task_sets.install()
    desks: dict[str, Desk] = {}

    @patching.wrap(app, "_dispatch_service_request(method, path, headers, body, query_params, request_id)")
    async def dispatched(original: Callable[..., Any], method: str, path: str, headers: Any, *rest: Any) -> Any:
        target = headers.get("x-amz-target", "")
        if not target.startswith(PREFIX):
            return await original(method, path, headers, *rest)
        place = f"{get_region()}:{get_account_id()}"
        desk = desks.setdefault(place, Desk(scheduler, Book(place), minute_seconds))
        return await asyncio.to_thread(desk.answered, target.removeprefix(PREFIX), json.loads(rest[0] or b"{}"))


@dataclass(slots=True)
class Desk:
    """CodeDeploy of one account and region."""

    scheduler: Scheduler
    book: Book
    minute_seconds: float
    deployments: dict[str, Deployment] = field(default_factory=dict)

    def answered(self, action: str, asked: Document) -> tuple[int, dict[str, str], bytes]:
        """Return the answer to *action* as HTTP has it: status, headers, body."""
        verbs = {**self.book.verbs, **self._verbs}
        try:
            with self.scheduler.lock:
                status, document = 200, verbs.get(action, partial(_unknown, action))(asked)
        except RefusedError as error:
            status, document = 400, {"__type": error.code, "message": str(error)}
        return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(document).encode()

    @property
    def _verbs(self) -> dict[str, Callable[[Document], Document]]:
        return {
            "CreateDeployment": self._create,
            "GetDeployment": lambda asked: {"deploymentInfo": self._info(self._deployment(asked))},
            "BatchGetDeployments": self._batch,
            "ListDeployments": self._list,
            "GetDeploymentTarget": lambda asked: {"deploymentTarget": self._target(asked, asked.get("targetId"))},
            "ListDeploymentTargets": lambda asked: {"targetIds": [self._name(self._started(asked))]},
            "BatchGetDeploymentTargets": self._targets,
            "StopDeployment": self._stop,
            "ContinueDeployment": self._continue,
            "PutLifecycleEventHookExecutionStatus": self._hear,
        }

    # Deployments

    def _create(self, asked: Document) -> Document:
        group = self.book.group(asked)
        spec = codedeploy_course.spec_of(asked.get("revision") or {})
        if any(one.active for one in self._of(group)):
            message = f"The Deployment Group '{group['deploymentGroupName']}' already has an active Deployment."
            raise RefusedError("DeploymentLimitExceededException", message)
        made = Deployment(
            application=group["applicationName"],
            group=group["deploymentGroupName"],
            config=asked.get("deploymentConfigName") or group["deploymentConfigName"],
            revision=asked["revision"],
            description=asked.get("description", ""),
            created_at=time.time(),
            rolls_back_on=_roll_backs(asked.get("autoRollbackConfiguration") or group.get("autoRollbackConfiguration")),
        )
        course = Course(one=made, stage=_Theatre(self.scheduler, group), pace=self._pace(made, group), now=time.time)
        self._begin(course, course.steps(spec))
        return {"deploymentId": made.id}

    def _pace(self, made: Deployment, group: Mapping[str, Any]) -> Pace:
        waits = group["blueGreenDeploymentConfiguration"]
        ready = waits.get("deploymentReadyOption") or {}
        ending = waits.get("terminateBlueInstancesOnDeploymentSuccess") or {}
        return Pace(
            steps=steps(self.book.config(made.config)["trafficRoutingConfig"]),
            ready_minutes=int(ready.get("waitTimeInMinutes") or 0),
            stops_when_not_ready=ready.get("actionOnTimeout") == "STOP_DEPLOYMENT",
            termination_minutes=int(ending.get("terminationWaitTimeInMinutes") or 0),
            keeps_original=ending.get("action") == "KEEP_ALIVE",
            minute_seconds=self.minute_seconds,
        )

    def _begin(self, course: Course, taken: Iterator[float]) -> None:
        self.deployments[course.one.id] = course.one
        spawn_background(self._follow, course, taken, thread_name=f"codedeploy-{course.one.id}")

    def _follow(self, course: Course, taken: Iterator[float]) -> None:
        paces = codedeploy_course.follow(course, taken)
        while True:
            with self.scheduler.lock:
                pause = next(paces, None)
                if pause is None:
                    self._roll_back(course)
                    return
            time.sleep(pause)

    def _roll_back(self, course: Course) -> None:
        """Bring the original back after an end that asks for it, as a deployment of its own."""
        failed = course.one
        if not failed.goes_back:
            return
        back = Deployment(
            application=failed.application,
            group=failed.group,
            config=failed.config,
            revision=failed.revision,
            created_at=time.time(),
            creator=ROLLED_BACK_TO,
            back_of=failed.id,
        )
        failed.back = back.id
        returning = Course(one=back, stage=course.stage, pace=course.pace, now=time.time)
        self._begin(returning, returning.back(failed))

    def _stop(self, asked: Document) -> Document:
        one = self._active(asked)
        if "autoRollbackEnabled" in asked:
            wanted = frozenset({codedeploy_course.STOPPED})
            one.rolls_back_on = one.rolls_back_on | wanted if asked["autoRollbackEnabled"] else frozenset()
        one.end("Stopped", "MANUAL_STOP", "The deployment was stopped by a user.", now=time.time())
        return {"status": "Succeeded", "statusMessage": "The deployment was stopped."}

    def _continue(self, asked: Document) -> Document:
        one, wait = self._active(asked), asked.get("deploymentWaitType", READY)
        if not (one.terminating if wait == TERMINATION else one.status == "Ready"):
            raise RefusedError("DeploymentIsNotInReadyStateException", f"The deployment {one.id} is not in that state.")
        one.told_to_go_on = True
        return {}

    def _hear(self, asked: Document) -> Document:
        execution = asked.get("lifecycleEventHookExecutionId", "")
        self._deployment(asked).hear(execution, asked.get("status", ""))
        return {"lifecycleEventHookExecutionId": execution}

    # Finding and telling

    def _of(self, group: Mapping[str, Any]) -> list[Deployment]:
        place = (group["applicationName"], group["deploymentGroupName"])
        return [one for one in self.deployments.values() if (one.application, one.group) == place]

    def _deployment(self, asked: Mapping[str, Any]) -> Deployment:
        identifier = asked.get("deploymentId", "")
        if identifier not in self.deployments:
            raise RefusedError("DeploymentDoesNotExistException", f"The deployment {identifier} could not be found.")
        return self.deployments[identifier]

    def _active(self, asked: Mapping[str, Any]) -> Deployment:
        one = self._deployment(asked)
        if not one.active:
            message = f"The deployment {one.id} has already completed."
            raise RefusedError("DeploymentAlreadyCompletedException", message)
        return one

    def _started(self, asked: Mapping[str, Any]) -> Deployment:
        one = self._deployment(asked)
        if one.status == "Created":
            raise RefusedError("DeploymentNotStartedException", f"The deployment {one.id} has not started.")
        return one

    def _batch(self, asked: Document) -> Document:
        known = [self.deployments[one] for one in asked.get("deploymentIds", ()) if one in self.deployments]
        return {"deploymentsInfo": [self._info(one) for one in known]}

    def _list(self, asked: Document) -> Document:
        found = self._of(self.book.group(asked)) if asked.get("applicationName") else list(self.deployments.values())
        statuses = asked.get("includeOnlyStatuses")
        newest = sorted(found, key=lambda one: one.created_at, reverse=True)
        return {"deployments": [one.id for one in newest if not statuses or one.status in statuses]}

    def _info(self, one: Deployment) -> Document:
        return codedeploy_course.info(one, self._group(one))

    def _group(self, one: Deployment) -> Document:
        return self.book.group({"applicationName": one.application, "deploymentGroupName": one.group})

    def _name(self, one: Deployment) -> str:
        (place,) = self._group(one)["ecsServices"]
        return f"{place['clusterName']}:{place['serviceName']}"

    def _targets(self, asked: Document) -> Document:
        return {"deploymentTargets": [self._target(asked, one) for one in asked.get("targetIds") or ()]}

    def _target(self, asked: Document, name: str | None) -> Document:
        one = self._started(asked)
        if name != self._name(one):
            raise RefusedError("DeploymentTargetDoesNotExistException", f"The target {name} does not exist.")
        service = _service(self._group(one))
        sets = {found["id"]: _counted(found, service) for found in (service or {}).get("deployments", ())}
        return codedeploy_course.target(one, name, (service or {}).get("serviceArn", ""), sets)


def _unknown(action: str, _: Document) -> Document:
    raise RefusedError("UnknownOperationException", f"The local AWS has no {action} of CodeDeploy.")


def _roll_backs(asked: Mapping[str, Any] | None) -> frozenset[str]:
    return frozenset(asked.get("events") or ()) if asked and asked.get("enabled") else frozenset()


def _service(group: Mapping[str, Any]) -> Document | None:
    (place,) = group["ecsServices"]
    found: Document | None = ecs._services.get(f"{place['clusterName']}/{place['serviceName']}")
    return found if found and found["status"] == "ACTIVE" else None


def _counted(task_set: Mapping[str, Any], service: Mapping[str, Any] | None) -> Document:
    arn = _target_group(task_set)
    return {
        "desiredCount": task_sets.wanted(service or {}, task_set),
        "runningCount": task_set["runningCount"],
        "pendingCount": task_set["pendingCount"],
        "status": task_set["status"],
        **({"targetGroup": {"name": alb._tgs[arn]["TargetGroupName"]}} if arn in alb._tgs else {}),
    }


def _target_group(task_set: Mapping[str, Any]) -> str:
    return next((str(one["targetGroupArn"]) for one in task_set[task_sets.PLACEMENT]["loadBalancers"]), "")


@dataclass(slots=True)
class _Theatre:
    """The service of a deployment group, its listeners and target groups: `codedeploy_course.Stage`."""

    scheduler: Scheduler
    group: Mapping[str, Any]

    def original(self) -> str:
        service = self._service()
        for name in _pair(self.group)["targetGroups"]:
            self._arn(name["name"])
        return str(ecs._primary_deployment(service)["id"])

    def install(self, spec: Spec, maker: str) -> str:
        service = self._service()
        if ecs._resolve_td_key(spec.definition) not in ecs._task_defs:
            raise EndedError("INVALID_REVISION", f"The task definition {spec.definition} does not exist.")
        used = _target_group(ecs._primary_deployment(service))
        free = next(arn for arn in self._arns() if arn != used)
        balancers = [{"targetGroupArn": free, "containerName": spec.container, "containerPort": spec.port}]
        made = task_sets.create(service, spec.definition, {**spec.placement, "loadBalancers": balancers}, maker)
        self._nudge()
        return str(made["id"])

    def steady(self, task_set: str) -> bool:
        found = task_sets.find(self._service(), task_set)
        return bool(found) and found["rolloutState"] == "COMPLETED"

    def show(self, task_set: str) -> None:
        route = _pair(self.group).get("testTrafficRoute") or {}
        self._point(route.get("listenerArns") or (), {self._group_of(task_set): WHOLE})

    def share(self, original: str, replacement: str, percent: int) -> None:
        weights = {original: WHOLE - percent, replacement: percent}
        told = {self._group_of(task_set): weight for task_set, weight in weights.items() if weight}
        self._point(_pair(self.group)["prodTrafficRoute"]["listenerArns"], told)

    def promote(self, task_set: str) -> None:
        task_sets.promote(self._service(), task_set)
        self._nudge()

    def delete(self, task_set: str) -> None:
        task_sets.delete(self._service(), task_set)
        self._nudge()

    def call(self, function: str, deployment: str, execution: str) -> None:
        found = lambda_svc._functions.get(lambda_svc._resolve_name(function))
        if found is None:
            raise EndedError("INVALID_LAMBDA_FUNCTION", f"The function {function} of a lifecycle hook does not exist.")
        event = {"DeploymentId": deployment, "LifecycleEventHookExecutionId": execution}
        lambda_svc.invoke_async_with_retry(found, event)

    def alarms(self) -> tuple[str, ...]:
        asked = self.group.get("alarmConfiguration") or {}
        names = [one["name"] for one in asked.get("alarms") or ()] if asked.get("enabled") else []
        states = {name: cloudwatch._alarms.get(name, {}).get("StateValue") for name in names}
        return tuple(name for name, state in states.items() if state == "ALARM")

    def _service(self) -> Document:
        service = _service(self.group)
        if service is None or not task_sets.by_codedeploy(service):
            (place,) = self.group["ecsServices"]
            message = f"The ECS service {place['serviceName']} is not there, or its controller is not CODE_DEPLOY."
            raise EndedError("INVALID_ECS_SERVICE", message)
        return service

    def _nudge(self) -> None:
        (place,) = self.group["ecsServices"]
        self.scheduler.nudge(f"{place['clusterName']}/{place['serviceName']}")

    def _arns(self) -> list[str]:
        return [self._arn(one["name"]) for one in _pair(self.group)["targetGroups"]]

    def _arn(self, name: str) -> str:
        found = next((arn for arn, one in alb._tgs.items() if one["TargetGroupName"] == name), None)
        if found is None:
            raise EndedError("ELASTIC_LOAD_BALANCING_INVALID", f"The target group {name} does not exist.")
        return str(found)

    def _group_of(self, task_set: str) -> str:
        found = task_sets.find(self._service(), task_set)
        if found is None:
            raise EndedError("ECS_UPDATE_ERROR", f"The task set {task_set} is gone.")
        return _target_group(found)

    def _point(self, listeners: Any, weights: Mapping[str, int]) -> None:
        if missing := [arn for arn in listeners if arn not in alb._listeners]:
            raise EndedError("ELASTIC_LOAD_BALANCING_INVALID", f"The listener {missing[0]} does not exist.")
        forwards.point(listeners, dict(weights), among=self._arns())


def _pair(group: Mapping[str, Any]) -> Document:
    (found,) = group["loadBalancerInfo"]["targetGroupPairInfoList"]
    return dict(found)
