"""Why tasks stopped: stop codes, exit codes, health, and the last lines that the failing container logged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deploylib import events, tasklog

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from types_boto3_ecs.client import ECSClient

    from deploylib.aws import Account
    from deploylib.taskdef import Definition

TASKS_PER_CALL = 100
SHOWN_TASKS = 2
LOG_LINES = 15
FAILURES = ("EssentialContainerExited", "TaskFailedToStart")


def describe_tasks(ecs: ECSClient, cluster: str, arns: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return the tasks with these ARNs, a hundred per call; those that ECS has forgotten are left out."""
    found: list[Mapping[str, Any]] = []
    for at in range(0, len(arns), TASKS_PER_CALL):
        found += ecs.describe_tasks(cluster=cluster, tasks=list(arns[at : at + TASKS_PER_CALL]))["tasks"]
    return found


def of_deployment(
    account: Account, cluster: str, service: str, *, deployment: str, definition: Definition
) -> tuple[events.StoppedTask, ...]:
    """Return the newest stopped tasks of *deployment*, each different reason once."""
    pages = account.ecs.get_paginator("list_tasks").paginate(
        cluster=cluster, serviceName=service, desiredStatus="STOPPED"
    )
    arns = [arn for page in pages for arn in page["taskArns"]]
    tasks = [one for one in describe_tasks(account.ecs, cluster, arns) if one.get("startedBy") == deployment]
    told = [one for one in tasks if _failed_by_itself(one)] or tasks
    told.sort(key=lambda one: str(one.get("stoppedAt") or one.get("createdAt") or ""))
    distinct = {(one.get("stopCode"), _signature(one)): one for one in told}  # the newest of each kind
    return tuple(explain(account, one, definition) for one in [*distinct.values()][::-1][:SHOWN_TASKS])


def explain(account: Account, task: Mapping[str, Any], definition: Definition) -> events.StoppedTask:
    """Return why *task* stopped, with the log of the container that is to blame."""
    blamed = _blamed(task)
    log = tuple(
        line
        for one in blamed[:1]
        for line in tasklog.tail(
            account.logs, tasklog.stream(definition, one["name"], task["taskArn"]), lines=LOG_LINES
        )
    )
    return events.StoppedTask(
        task=task["taskArn"].rsplit("/", 1)[-1],
        stop_code=str(task.get("stopCode", "")),
        reason=str(task.get("stoppedReason", "")),
        containers=tuple(_facts(one) for one in blamed or task.get("containers", ())),
        log=log,
    )


def _failed_by_itself(task: Mapping[str, Any]) -> bool:
    """Tell a task that failed from one that the scheduler took away when it rolled back."""
    return task.get("stopCode") in FAILURES or "health check" in str(task.get("stoppedReason", ""))


def _blamed(task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the containers that failed; ECS kills the others afterwards (137, 143), so these come last."""
    failed = [one for one in task.get("containers", ()) if one.get("exitCode") or _sick(one) or one.get("reason")]
    return sorted(failed, key=lambda one: (not _sick(one), one.get("exitCode") in (137, 143)))


def _sick(container: Mapping[str, Any]) -> bool:
    return container.get("healthStatus") == "UNHEALTHY"


def _facts(container: Mapping[str, Any]) -> tuple[str, int | None, str, str]:
    return (
        str(container["name"]),
        container.get("exitCode"),
        str(container.get("reason", "")),
        str(container.get("healthStatus", "")),
    )


def _signature(task: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what makes two failures the same one for a reader: containers and exit codes, not task ids."""
    return tuple((one["name"], one.get("exitCode"), one.get("healthStatus")) for one in task.get("containers", ()))
