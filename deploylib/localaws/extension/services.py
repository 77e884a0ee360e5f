"""The service scheduler: one thread that moves every service towards what it asks for.

API handlers and tasks only nudge it. It alone starts tasks, counts failures, and completes, fails and rolls back
deployments; `rollout` decides, this module knows the records. `lock` keeps the handlers out while it works.
"""

from __future__ import annotations

import copy
import heapq
import itertools
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from ministack.core.responses import get_account_id, get_region, new_uuid, request_scope
from ministack.services import ecs

from deploylib.localaws.extension import history, rollout, task_sets
from deploylib.localaws.extension.record import Stop
from deploylib.localaws.extension.rollout import Stage, TaskView, Wanted
from deploylib.localaws.extension.vitals import SCHEDULER

if TYPE_CHECKING:
    import contextlib

    from deploylib.localaws.extension.health import Result
    from deploylib.localaws.extension.settings import Settings
    from deploylib.localaws.extension.targets import Target
    from deploylib.localaws.extension.tasks import Runs

STARTING = ("PROVISIONING", "PENDING", "ACTIVATING")
EVENTS_KEPT = 100
FAILED_TO_START = "ECS deployment circuit breaker: tasks failed to start."
BREAKER, STOPPED = "ECS deployment circuit breaker", "ECS deployment stopped"
ROLLING_BACK = "{cause}: rolling back to deploymentId {id}."

logger = logging.getLogger("localaws.services")


def service_key(task: dict[str, Any]) -> str | None:
    """Return the key of the service that a task belongs to."""
    kind, _, name = task.get("group", "").partition(":")
    cluster = ecs._cluster_name_from_arn(task.get("clusterArn", ""))
    return f"{cluster}/{name}" if kind == "service" and cluster else None


def service_of(task: dict[str, Any]) -> dict[str, Any] | None:
    """Return the service that a task belongs to."""
    key = service_key(task)
    return ecs._services.get(key) if key else None


class Scheduler:
    """The services of all accounts and regions."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.runs: Runs | None = None
        self.lock = threading.RLock()
        self._due: list[tuple[float, int, str, str, str]] = []
        self._order = itertools.count()
        self._condition = threading.Condition()
        self._closed = False

    # ── nudges

    def nudge(self, key: str, delay_seconds: float = 0.0) -> None:
        """Look at a service of the current account and region, now or later."""
        item = (time.monotonic() + delay_seconds, next(self._order), get_account_id(), get_region(), key)
        with self._condition:
            heapq.heappush(self._due, item)
            self._condition.notify()

    def changed(self, task: dict[str, Any]) -> None:
        """Look at the service of a task."""
        if key := service_key(task):
            with _scope_of(task):
                self.nudge(key)

    def failed(self, task: dict[str, Any], stop: Stop) -> None:
        """Count the failure of a task against its deployment."""
        with self.lock, _scope_of(task):
            service = service_of(task)
            if service is None or service["status"] != "ACTIVE":
                return
            deployment = ecs._deployment_for_task(service, task)
            counted = _counted(service, deployment)
            counted["_failures"] = counted.get("_failures", 0) + 1
            if deployment and deployment.get("rolloutState") == "IN_PROGRESS":
                deployment["failedTasks"] = int(deployment.get("failedTasks") or 0) + 1
        logger.info("task %s failed: %s", _short(task["taskArn"]), stop.reason)
        self.changed(task)

    def unhealthy(self, task: dict[str, Any], target: Target, result: Result) -> None:
        """Tell why a target is unhealthy, as ECS does in the service's events."""
        with self.lock, _scope_of(task):
            if service := service_of(task):
                where = f"(task {_short(task['taskArn'])}) (port {target.port}) is unhealthy in"
                _event(service, f"{where} (target-group {target.group}) due to (reason {result.description})")

    def stop_all(self, service: dict[str, Any]) -> None:
        """Stop every task of a service that is deleted."""
        primary = ecs._primary_deployment(service)
        self._stop(service, primary, [task for task in _tasks_of(service) if _is_active(task)])

    def close(self) -> None:
        """Decide nothing any more."""
        with self.lock, self._condition:
            self._closed = True
            self._condition.notify()

    # ── the thread

    def run(self) -> None:
        """Work through the nudges. Returns after `close`."""
        while (item := self._next()) is not None:
            _, _, account, region, key = item
            try:
                with self.lock, request_scope(account, region):
                    if not self._closed:
                        self._step(key)
            except Exception:
                logger.exception("service %s", key)

    def _next(self) -> tuple[float, int, str, str, str] | None:
        with self._condition:
            while not self._closed:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)
                self._condition.wait(wait)
        return None

    def _step(self, key: str) -> None:
        service = ecs._services.get(key)
        if service is None:
            return
        tasks = _tasks_of(service)
        _count(service, tasks)
        if service["status"] == "DRAINING":
            if all(task["lastStatus"] == "STOPPED" for task in tasks):
                service["status"] = "INACTIVE"
            return
        primary = ecs._primary_deployment(service)
        if service["status"] != "ACTIVE" or primary is None:
            return
        if task_sets.by_codedeploy(service):
            self._keep(key, service, tasks)
            return
        self._break_circuit(key, service, primary)
        self._move(key, service, tasks)
        tasks = _tasks_of(service)
        _count(service, tasks)
        primary = ecs._primary_deployment(service)
        history.settle(service, primary, drained=_only_of(tasks, primary), now=ecs._iso())
        self._prune(key, service)

    def _move(self, key: str, service: dict[str, Any], tasks: list[dict[str, Any]]) -> None:
        primary = ecs._primary_deployment(service)
        active = [task for task in tasks if _is_active(task)]
        self._note_steady(service, primary, active)
        minimum, maximum = rollout.percents(service)
        wanted = Wanted(
            deployment=primary["id"],
            count=int(service.get("desiredCount") or 0),
            minimum_percent=minimum,
            maximum_percent=maximum,
            failed=primary["rolloutState"] == "FAILED",
        )
        decision = rollout.decide([_view(service, task) for task in active], wanted)
        self._stop(service, primary, [task for task in active if task["taskArn"] in decision.stop])
        if decision.start:
            self._start_when_due(key, service, primary, decision.start)
        if decision.completed and primary["rolloutState"] == "IN_PROGRESS":
            _complete(service, primary)

    def _keep(self, key: str, service: dict[str, Any], tasks: list[dict[str, Any]]) -> None:
        """Give each task set of a service under CodeDeploy the tasks that it is to have."""
        for one in service["deployments"]:
            active = [task for task in tasks if _is_active(task) and task.get("_deployment_id") == one["id"]]
            self._note_steady(service, one, active)
            count = task_sets.wanted(service, one)
            wanted = Wanted(deployment=one["id"], count=count)
            decision = rollout.decide([_view(service, task) for task in active], wanted)
            self._stop(service, one, [task for task in active if task["taskArn"] in decision.stop])
            if decision.start:
                self._start_when_due(key, service, one, decision.start)
            task_sets.settle(one, steady=decision.completed and not decision.stop)
        tasks = _tasks_of(service)
        _count(service, tasks)
        left = {task.get("_deployment_id") for task in tasks if task["lastStatus"] != "STOPPED"}
        kept = [one for one in service["deployments"] if one["status"] != "DRAINING" or one["id"] in left]
        service["deployments"][:] = kept

    def _note_steady(self, service: dict[str, Any], primary: dict[str, Any], active: list[dict[str, Any]]) -> None:
        fresh = [task for task in active if task.get("_steady") and not task.get("_noted")]
        for task in fresh:
            task["_noted"] = True
            _counted(service, primary)["_failures"] = 0
            own = task.get("_deployment_id") == primary["id"] and primary["rolloutState"] == "IN_PROGRESS"
            if own and rollout.breaker(service).get("resetOnHealthyTask", True):
                primary["failedTasks"] = 0

    # ── tasks

    def _start_when_due(self, key: str, service: dict[str, Any], primary: dict[str, Any], count: int) -> None:
        left = self._restart_at(service, primary) - time.time()
        if left > 0:
            self.nudge(key, left)
        else:
            _counted(service, primary).pop("_restart", None)
            self._start(service, primary, count)

    def _restart_at(self, service: dict[str, Any], primary: dict[str, Any]) -> float:
        """Return when the next task may start: a task that keeps failing is restarted ever less often."""
        counted = _counted(service, primary)
        failures = counted.get("_failures", 0)
        if rollout.breaker(service) and primary["rolloutState"] == "IN_PROGRESS":
            return 0.0  # the circuit breaker ends this
        delay = rollout.restart_delay_seconds(failures, self._settings.restart_delay_max_seconds)
        if counted.get("_restart", (None,))[0] != failures:
            counted["_restart"] = [failures, time.time() + delay]
        return float(counted["_restart"][1])

    def _start(self, service: dict[str, Any], primary: dict[str, Any], count: int) -> None:
        before, placed = set(ecs._tasks.keys()), task_sets.placed(service, primary)
        tags = ecs._tags.get(service["serviceArn"], []) if service.get("propagateTags") == "SERVICE" else []
        status, _, body = ecs._run_task(
            {
                "cluster": ecs._cluster_name_from_arn(service["clusterArn"]),
                "taskDefinition": primary["taskDefinition"],
                "count": count,
                "group": f"service:{service['serviceName']}",
                "startedBy": primary["id"],
                "launchType": placed.get("launchType"),
                "capacityProviderStrategy": placed.get("capacityProviderStrategy"),
                "platformVersion": placed.get("platformVersion") or "",
                "networkConfiguration": placed.get("networkConfiguration") or {},
                "enableExecuteCommand": service.get("enableExecuteCommand", False),
                "tags": copy.deepcopy(tags),
                "_deploymentId": primary["id"],
            }
        )
        if status != 200:  # noqa: PLR2004 - HTTP
            _event(service, f"was unable to place a task. Reason: {body!r}")
            return
        started = [arn for arn in ecs._tasks.keys() if arn not in before]  # noqa: SIM118 - not a dict
        listed = " ".join(f"(task {_short(arn)})" for arn in started)
        _event(service, f"has started {len(started)} tasks: {listed}.")

    def _stop(self, service: dict[str, Any], primary: dict[str, Any], tasks: list[dict[str, Any]]) -> None:
        if not tasks or self.runs is None:
            return
        reason = f"Scaling activity initiated by (deployment {primary['id']})"
        for task in tasks:
            self.runs.stop(task, Stop(reason=reason, code=SCHEDULER))
        listed = " ".join(f"(task {_short(task['taskArn'])})" for task in tasks)
        _event(service, f"has stopped {len(tasks)} running tasks: {listed}.")
        if service.get("loadBalancers"):
            _event(service, f"has begun draining connections on {len(tasks)} tasks.")

    # ── deployments

    def _break_circuit(self, key: str, service: dict[str, Any], primary: dict[str, Any]) -> None:
        breaker = rollout.breaker(service)
        failures = int(primary.get("failedTasks") or 0)
        if (
            primary["rolloutState"] != "IN_PROGRESS"
            or not breaker
            or failures < ecs._circuit_breaker_threshold(service)
        ):
            return
        self._fail(key, primary, FAILED_TO_START)
        _event(service, f"(deployment {primary['id']}) deployment failed: tasks failed to start.")
        if breaker.get("rollback"):
            _roll_back(service, primary, FAILED_TO_START, BREAKER)
        else:
            history.fail(service, FAILED_TO_START, now=ecs._iso())

    def stop_deployment(self, service: dict[str, Any], reason: str) -> None:
        """Go back to the last completed deployment because somebody asks for it."""
        primary = ecs._primary_deployment(service)
        key = f"{ecs._cluster_name_from_arn(service['clusterArn'])}/{service['serviceName']}"
        self._fail(key, primary, reason)
        _event(service, f"(deployment {primary['id']}) deployment stopped.")
        _roll_back(service, primary, reason, STOPPED)
        self.nudge(key)

    def _fail(self, key: str, primary: dict[str, Any], reason: str) -> None:
        _update(primary, rolloutState="FAILED", rolloutStateReason=reason, desiredCount=0, _failed_at=time.time())
        self.nudge(key, self._settings.failed_kept_seconds)

    def _prune(self, key: str, service: dict[str, Any]) -> None:
        primary = ecs._primary_deployment(service)
        kept = [d for d in service["deployments"] if d is primary or self._kept(d, primary)]
        service["deployments"][:] = kept
        if any(d["rolloutState"] == "FAILED" and d is not primary for d in kept):
            self.nudge(key, 1.0)

    def _kept(self, deployment: dict[str, Any], primary: dict[str, Any]) -> bool:
        if deployment["runningCount"] or deployment["pendingCount"]:
            return True
        if deployment["rolloutState"] != "FAILED":
            return False
        rolling_back = primary["rolloutState"] == "IN_PROGRESS" and "rolling back" in primary["rolloutStateReason"]
        return rolling_back or time.time() - deployment.get("_failed_at", 0) < self._settings.failed_kept_seconds


def _counted(service: dict[str, Any], deployment: dict[str, Any] | None) -> dict[str, Any]:
    """Return where failures in a row are counted: a task set that fails does not hold up the one beside it."""
    return deployment if deployment and task_sets.by_codedeploy(service) else service


def _roll_back(service: dict[str, Any], failed: dict[str, Any], reason: str, cause: str) -> None:
    """Make the last completed deployment primary again, under its own id; without one, nothing starts any more."""
    last = service.get("_last_completed")
    if last and last["id"] == failed["id"]:
        last = None
    history.roll_back(service, reason, last, now=ecs._iso())
    if not last:
        return
    restored = next((d for d in service["deployments"] if d["id"] == last["id"]), None) or copy.deepcopy(last)
    failed["status"] = "ACTIVE"
    _update(
        restored,
        status="PRIMARY",
        rolloutState="IN_PROGRESS",
        rolloutStateReason=ROLLING_BACK.format(cause=cause, id=last["id"]),
        desiredCount=service["desiredCount"],
        failedTasks=0,
    )
    service["_failures"] = 0
    service["taskDefinition"] = restored["taskDefinition"]
    others = [d for d in service["deployments"] if d["id"] != restored["id"]]
    service["deployments"][:] = [restored, *others]
    _event(service, f"rolling back to deployment {restored['id']}.")


def _complete(service: dict[str, Any], primary: dict[str, Any]) -> None:
    reason = f"ECS deployment {primary['id']} completed."
    _update(primary, rolloutState="COMPLETED", rolloutStateReason=reason, desiredCount=service["desiredCount"])
    service["_last_completed"] = copy.deepcopy(primary)
    _event(service, f"(deployment {primary['id']}) deployment completed.")
    _event(service, "has reached a steady state.")


def _update(deployment: dict[str, Any], **fields: Any) -> None:
    deployment.update(fields, updatedAt=ecs._iso())


def _event(service: dict[str, Any], message: str) -> None:
    told = {"id": new_uuid(), "createdAt": ecs._iso(), "message": f"(service {service['serviceName']}) {message}"}
    service["events"][:] = [told, *service["events"]][:EVENTS_KEPT]


def _tasks_of(service: dict[str, Any]) -> list[dict[str, Any]]:
    group, cluster = f"service:{service['serviceName']}", service["clusterArn"]
    return [t for t in ecs._tasks.values() if t.get("group") == group and t.get("clusterArn") == cluster]


def _count(service: dict[str, Any], tasks: list[dict[str, Any]]) -> None:
    """Set the counts: a task that is told to stop is no longer running."""
    for record in [service, *service["deployments"]]:
        own = tasks if record is service else [t for t in tasks if t.get("_deployment_id") == record["id"]]
        active = [task for task in own if _is_active(task)]
        record["runningCount"] = sum(task["lastStatus"] == "RUNNING" for task in active)
        record["pendingCount"] = sum(task["lastStatus"] in STARTING for task in active)


def _only_of(tasks: list[dict[str, Any]], primary: dict[str, Any]) -> bool:
    """Say whether every task that has not stopped belongs to the *primary* deployment."""
    left = [task for task in tasks if task["lastStatus"] != "STOPPED"]
    return all(task.get("_deployment_id") == primary["id"] for task in left)


def _is_active(task: dict[str, Any]) -> bool:
    # A task restored from a snapshot has stopped without having been told to.
    return task["desiredStatus"] != "STOPPED" and task["lastStatus"] != "STOPPED"


def _view(service: dict[str, Any], task: dict[str, Any]) -> TaskView:
    running = task["lastStatus"] == "RUNNING"
    stage = (Stage.STEADY if task.get("_steady") else Stage.RUNNING) if running else Stage.STARTING
    deployment = ecs._deployment_for_task(service, task)
    return TaskView(arn=task["taskArn"], deployment=deployment["id"] if deployment else "", stage=stage)


def _scope_of(task: dict[str, Any]) -> contextlib.AbstractContextManager[None]:
    """Act for the account and region of a task."""
    region, account = task["taskArn"].split(":")[3:5]
    return request_scope(account, region)  # type: ignore[no-any-return]  # MiniStack has no types


def _short(arn: str) -> str:
    return arn.rpartition("/")[2]
