"""The tasks of an environment's cluster: of which service, which release, since when, how they are."""

from __future__ import annotations

import datetime as dt
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib import aws, observe, taskdef
from deploylib.errors import AwsError
from deploylib.stopped import describe_tasks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.contract import Contract

PARALLEL_CALLS = 8
SHORT = 12
COLUMNS = ("service", "task", "revision", "commit", "state", "health", "minutes", "what it says")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One task. *age_minutes* is since it was created; *note* is why it stopped, or which containers do not run."""

    service: str
    task: str
    revision: int
    commit: str
    state: str
    health: str
    age_minutes: int
    note: str

    def cells(self, *, whole: bool = False) -> tuple[str | int, ...]:
        """Return the row under `COLUMNS`; of the task's id, unless it is to be *whole*, as much as tells it apart."""
        task = self.task if whole else self.task[:SHORT]
        return (
            *(self.service, task, self.revision, self.commit),
            *(self.state, self.health, self.age_minutes, self.note),
        )


def observed(
    account: Account, environment: Environment, *, stopped: bool = False, clock: Clock = time
) -> tuple[Row, ...]:
    """Return the tasks of the cluster, newest first in each service; the *stopped* too, of the last hour or so.

    A task that is not of the contract is told by its family or group.
    """
    aws.guard(account, environment)
    contract = observe.contract(account, environment)
    arns = [arn for state in ("RUNNING", "STOPPED")[: 1 + stopped] for arn in _listed(account, contract, state)]
    found = describe_tasks(account.ecs, contract.cluster, arns)
    commits = _commits(account, {str(one["taskDefinitionArn"]) for one in found})
    now = dt.datetime.fromtimestamp(clock.time(), dt.UTC)
    rows = [_row(contract, one, commits, now) for one in found]
    return tuple(sorted(rows, key=lambda one: (one.service, one.age_minutes, one.task)))


def _listed(account: Account, contract: Contract, state: Any) -> Iterable[str]:
    """Yield the tasks that ECS wants in *state*: those that drain or stop are STOPPED to it."""
    for page in account.ecs.get_paginator("list_tasks").paginate(cluster=contract.cluster, desiredStatus=state):
        yield from page["taskArns"]


def _commits(account: Account, revisions: Iterable[str]) -> Mapping[str, str]:
    distinct = sorted(revisions)
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        return dict(zip(distinct, pool.map(lambda one: _commit(account, one), distinct), strict=True))


def _commit(account: Account, revision: str) -> str:
    """Return the commit that *revision* was made of; nothing for one that no deploy made, or that was deleted."""
    try:
        answer = account.ecs.describe_task_definition(taskDefinition=revision, include=["TAGS"])
    except AwsError as error:
        if error.code not in observe.GONE:
            raise
        return ""
    return taskdef.tag({"tags": answer.get("tags", [])}, taskdef.TAG_COMMIT)


def _row(contract: Contract, task: Mapping[str, Any], commits: Mapping[str, str], now: dt.datetime) -> Row:
    revision = str(task["taskDefinitionArn"])
    created = task.get("createdAt", now)
    return Row(
        service=_owner(contract, task),
        task=str(task["taskArn"]).rpartition("/")[2],
        revision=int(revision.rpartition(":")[2]),
        commit=commits[revision][:SHORT],
        state=str(task.get("lastStatus", "")),
        health=str(task.get("healthStatus", "UNKNOWN")),
        age_minutes=int((now - created).total_seconds() // 60),
        note=_note(task),
    )


def _owner(contract: Contract, task: Mapping[str, Any]) -> str:
    """Return the key in the contract; of a one-off task with what started it (`web, run`), else the group."""
    group, family = str(task.get("group", "")), taskdef.family(str(task["taskDefinitionArn"]))
    for key, service in contract.services.items():
        if group == f"service:{service.name}":
            return key
    for key, one in contract.tasks.items():
        if family == one.family:
            kind = str(task.get("startedBy", "")).partition("/")[0]
            return f"{key}, {kind}" if kind in ("run", "migration") else key
    return group.partition(":")[2] or group


def _note(task: Mapping[str, Any]) -> str:
    ended = [
        f"{one['name']} {one['exitCode']}" for one in task.get("containers", ()) if one.get("exitCode") is not None
    ]
    exits = f"exit codes: {', '.join(ended)}" if ended else ""
    return "; ".join(filter(None, (str(task.get("stoppedReason", "")), exits)))
