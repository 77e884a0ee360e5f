"""Why tasks stopped: stop codes, exit codes, health, and the last lines that the failing containers logged.

Tasks that ended the same way are one kind of failure: how many there were counts, and the newest one is the example.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from deploylib import events, service_deployments, tasklog
from deploylib.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from types_boto3_ecs.client import ECSClient

    from deploylib.aws import Account
    from deploylib.taskdef import Definition

    Task = Mapping[str, Any]

T = TypeVar("T")

TASKS_PER_CALL = 100
SHOWN_KINDS = 3
SHOWN_LOGS = 2
SHOWN_TARGETS = 10
SHOWN_MESSAGES = 5
LOG_LINES = 15
FAILURES = ("EssentialContainerExited", "TaskFailedToStart")
KILLED = (137, 143)
CHANGING = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\b(?=[0-9a-f]*[0-9])[0-9a-f]{12,}\b|\b\d{1,3}(?:\.\d{1,3}){3}\b")
ROUTINE = re.compile(r"\bhas (started|stopped|begun|registered|deregistered|reached)\b|deployment completed")
WELL = frozenset({"healthy", "draining", "unhealthy.draining"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is to know of a rollout that failed; what could not be read is not there. *since* is ISO 8601, UTC."""

    tasks: tuple[events.StoppedTask, ...] = ()
    targets: tuple[events.SickTarget, ...] = ()
    alarms: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    since: str = ""


class Failed(service_deployments.Followed, Protocol):
    """The deployment that failed."""

    @property
    def by_codedeploy(self) -> bool:
        """Whether its id is CodeDeploy's, which ECS starts no tasks by."""

    @property
    def revision(self) -> str:
        """The ARN of its task definition."""

    @property
    def known_events(self) -> frozenset[str]:
        """The ids of the service's events from before it."""


def describe_tasks(ecs: ECSClient, cluster: str, arns: Sequence[str]) -> list[Task]:
    """Return the tasks with these ARNs, a hundred per call; those that ECS has forgotten are left out."""
    found: list[Task] = []
    for at in range(0, len(arns), TASKS_PER_CALL):
        found += ecs.describe_tasks(cluster=cluster, tasks=list(arns[at : at + TASKS_PER_CALL]))["tasks"]
    return found


def evidence(account: Account, cluster: str, failed: Failed, *, definition: Definition) -> Evidence:
    """Return everything that says why the deployment *failed*: tasks, targets, alarms, ECS's own messages.

    Each part is read by itself; one that AWS refuses is left out, and does not cost the others.
    """
    nothing: Mapping[str, Any] = {}
    description = _read(functools.partial(_service, account.ecs, cluster, failed.name), nothing)
    record = functools.partial(_record, account.ecs, cluster, failed)
    tasks = functools.partial(
        of_deployment,
        account,
        cluster,
        failed.name,
        deployment=failed.revision if failed.by_codedeploy else failed.deployment,
        definition=definition,
    )
    return Evidence(
        tasks=_read(tasks, ()),
        targets=_read(functools.partial(sick_targets, account, _behind(description, failed.revision)), ()),
        alarms=service_deployments.alarms(_read(record, None)),
        messages=_messages(description, failed.known_events),
        since=_iso(failed.since),
    )


def of_deployment(
    account: Account, cluster: str, service: str, *, deployment: str, definition: Definition
) -> tuple[events.StoppedTask, ...]:
    """Return the kinds of failures of *deployment*'s tasks, the commonest first, each by its newest task.

    A revision's ARN in its place stands for all tasks of it.

    Where none failed by itself, it is what ECS took away.
    """
    pages = account.ecs.get_paginator("list_tasks").paginate(
        cluster=cluster, serviceName=service, desiredStatus="STOPPED"
    )
    arns = [arn for page in pages for arn in page["taskArns"]]
    found = describe_tasks(account.ecs, cluster, arns)
    tasks = [one for one in found if deployment in (one.get("startedBy"), one["taskDefinitionArn"])]
    told = sorted([one for one in tasks if failed_by_itself(one)] or tasks, key=_ended)
    newest, counts = {kind(one): one for one in told}, Counter(map(kind, told))
    return tuple(
        explain(account, newest[one], definition, count=count) for one, count in counts.most_common(SHOWN_KINDS)
    )


def explain(account: Account, task: Task, definition: Definition, *, count: int = 1) -> events.StoppedTask:
    """Return why *task* stopped, with the logs of the containers that are to blame; *count* tasks ended like it."""
    blamed = _blamed(task)
    tails = {one["name"]: _tail(account, task, one, definition) for one in blamed[:SHOWN_LOGS]}
    return events.StoppedTask(
        task=task["taskArn"].rsplit("/", 1)[-1],
        stop_code=str(task.get("stopCode", "")),
        reason=str(task.get("stoppedReason", "")),
        containers=tuple(_facts(one) for one in blamed or task.get("containers", ())),
        log=_labelled({name: lines for name, lines in tails.items() if lines}),
        count=count,
        stopped_at=_iso(_ended_at(task)),
    )


def failed_by_itself(task: Task) -> bool:
    """Tell a task that failed from one that the scheduler, or somebody, took away."""
    return task.get("stopCode") in FAILURES or "health check" in str(task.get("stoppedReason", ""))


def kind(task: Task) -> str:
    """Return in words how *task* failed, the same words for each task that failed the same way.

    A failed health check counts, not the exit codes of the containers that were then stopped; else it is the container
    that failed first. Ids, digests and addresses are left out.
    """
    reason = CHANGING.sub("…", " ".join(str(task.get("stoppedReason", "")).split()))
    blamed = _blamed(task)
    if task.get("stopCode") != "EssentialContainerExited" or not blamed:
        return reason or str(task.get("stopCode", "")) or "stopped"
    name, code = blamed[0]["name"], blamed[0].get("exitCode")
    said = CHANGING.sub("…", str(blamed[0].get("reason", "")))
    ended = f"{name} exited with code {code}" if code is not None else f"{name} stopped"
    return f"{ended} ({said})" if said else ended


def ended_after(task: Task, moment: dt.datetime) -> bool:
    """Whether *task* began to end after *moment*, which is AWS's time as well."""
    at = task.get("stoppingAt") or _ended_at(task)
    return at is not None and at > moment


def sick_targets(account: Account, description: Mapping[str, Any]) -> tuple[events.SickTarget, ...]:
    """Return the targets of the described service that its load balancers do not call healthy, and why."""
    groups = [one["targetGroupArn"] for one in description.get("loadBalancers", ()) if one.get("targetGroupArn")]
    found = [
        one
        for arn in groups
        for one in account.elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    ]
    sick = [_sick_target(one) for one in found if one.get("TargetHealth", {}).get("State") not in WELL]
    return tuple(sorted(sick, key=lambda one: one.state != "unhealthy")[:SHOWN_TARGETS])


def _behind(description: Mapping[str, Any], revision: str) -> Mapping[str, Any]:
    """Return what says which target groups the tasks of *revision* are in: under CodeDeploy its task set."""
    sets = (one for one in description.get("taskSets", ()) if one["taskDefinition"] == revision)
    return next((one for one in sets if one.get("loadBalancers")), description)


def _sick_target(described: Mapping[str, Any]) -> events.SickTarget:
    target, health = described["Target"], described["TargetHealth"]
    address = f"{target['Id']}:{target['Port']}" if "Port" in target else str(target["Id"])
    return events.SickTarget(
        target=address,
        state=str(health.get("State", "")),
        reason=str(health.get("Reason", "")),
        description=str(health.get("Description", "")),
    )


def _service(ecs: ECSClient, cluster: str, name: str) -> Mapping[str, Any]:
    found = ecs.describe_services(cluster=cluster, services=[name])["services"]
    return found[0] if found else {}


def _record(ecs: ECSClient, cluster: str, failed: Failed) -> Mapping[str, Any] | None:
    reading = service_deployments.ServiceDeployments(ecs=ecs, cluster=cluster)
    reading.read([failed], calls=2)
    return reading.of(failed)


def _messages(description: Mapping[str, Any], known: frozenset[str]) -> tuple[str, ...]:
    """Return what ECS said last about the service, oldest first, without what it says of every rollout."""
    fresh = [str(one["message"]) for one in description.get("events", ()) if one["id"] not in known]
    unusual = [one for one in fresh if not ROUTINE.search(one)]
    return tuple(dict.fromkeys((unusual or fresh)[:SHOWN_MESSAGES][::-1]))


def _read(reading: Callable[[], T], otherwise: T) -> T:
    """Read a part of the evidence; a report without it beats no report."""
    try:
        return reading()
    except AwsError:
        return otherwise


def _tail(account: Account, task: Task, container: Mapping[str, Any], definition: Definition) -> tuple[str, ...]:
    stream = tasklog.stream(definition, container["name"], task["taskArn"])
    return tasklog.tail(account.logs, stream, lines=LOG_LINES)


def _labelled(tails: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return all lines, container by container; each says its container where there are several."""
    if len(tails) == 1:
        return next(iter(tails.values()))
    return tuple(f"{name} | {line}" for name, lines in tails.items() for line in lines)


def _blamed(task: Task) -> list[Mapping[str, Any]]:
    """Return the containers that failed; ECS kills the others afterwards (137, 143), so these come last."""
    failed = [one for one in task.get("containers", ()) if one.get("exitCode") or _sick(one) or one.get("reason")]
    return sorted(failed, key=lambda one: (not _sick(one), one.get("exitCode") in KILLED))


def _sick(container: Mapping[str, Any]) -> bool:
    return container.get("healthStatus") == "UNHEALTHY"


def _facts(container: Mapping[str, Any]) -> tuple[str, int | None, str, str]:
    return (
        str(container["name"]),
        container.get("exitCode"),
        str(container.get("reason", "")),
        str(container.get("healthStatus", "")),
    )


def _ended(task: Task) -> str:
    return _iso(_ended_at(task) or task.get("createdAt"))


def _ended_at(task: Task) -> dt.datetime | None:
    return next((task[key] for key in ("stoppedAt", "executionStoppedAt", "stoppingAt") if task.get(key)), None)


def _iso(moment: dt.datetime | None) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds") if moment else ""
