"""What starts tasks by itself, behind one face: a schedule of EventBridge Scheduler, or a rule of EventBridge.

Both are opaque documents of AWS. Of a schedule an update says everything again, so it is read right before it is
written, and every field that UpdateSchedule takes is carried over. Of a rule only the one target is put that starts
tasks of the family; its other targets are not touched.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from deploylib import taskdef
from deploylib.errors import AwsError, ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.contract import ScheduledTask

State = Literal["ENABLED", "DISABLED"]

ABSENT = "ResourceNotFoundException"
BEGINNING = "StartDate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """A schedule or rule as AWS has it: the *revision* that it starts, its *state*, its whole *document*.

    The document is that of GetSchedule; of a rule, the target.
    """

    revision: str
    state: State
    document: Mapping[str, Any]


def read(account: Account, task: ScheduledTask) -> Starter:
    """Return what starts *task*; raise `ContractError` when the contract names what AWS does not have."""
    if not (task.schedule or task.rule):
        raise _absent(task)
    try:
        return _rule(account, task) if task.rule else _schedule(account, task)
    except AwsError as error:
        if error.code != ABSENT:
            raise
        raise _absent(task) from error


def write(account: Account, task: ScheduledTask, starter: Starter, *, clock: Clock) -> None:
    """Have AWS start *starter*'s revision from now on, in its state; *starter* was read a moment ago."""
    if task.rule:
        _put_target(account, task, starter)
    else:
        account.scheduler.update_schedule(**_whole(account, starter, dt.datetime.fromtimestamp(clock.time(), dt.UTC)))


def _schedule(account: Account, task: ScheduledTask) -> Starter:
    found = cast("Mapping[str, Any]", account.scheduler.get_schedule(Name=task.schedule))
    revision = str(found["Target"].get("EcsParameters", {}).get("TaskDefinitionArn", ""))
    return Starter(revision=revision, state=_state(found), document=found)


def _whole(account: Account, starter: Starter, now: dt.datetime) -> Any:
    """Return the request that says the schedule again, with another revision.

    A beginning that has passed is left out: AWS refuses one, and it does not matter any more.
    """
    shape = account.scheduler.meta.service_model.operation_model("UpdateSchedule").input_shape
    takes = set(shape.members if shape else ())  # always there; botocore's types do not know
    document = starter.document
    if document.get(BEGINNING, now) <= now:
        takes.discard(BEGINNING)
    target = _aimed(document["Target"], starter.revision)
    return {**{key: one for key, one in document.items() if key in takes}, "Target": target, "State": starter.state}


def _rule(account: Account, task: ScheduledTask) -> Starter:
    described = cast("Mapping[str, Any]", account.events.describe_rule(Name=task.rule))
    target = next((one for one in _targets(account, task.rule) if _starts(one, task)), None)
    if target is None:
        raise _absent(task)
    revision = str(target["EcsParameters"]["TaskDefinitionArn"])
    return Starter(revision=revision, state=_state(described), document=target)


def _targets(account: Account, rule: str) -> list[Mapping[str, Any]]:
    pages: Any = account.events.get_paginator("list_targets_by_rule").paginate(Rule=rule)
    return [one for page in pages for one in page["Targets"]]


def _starts(target: Mapping[str, Any], task: ScheduledTask) -> bool:
    """Whether *target* starts the family that a deploy writes, or still Terraform's template."""
    family = taskdef.family(str(target.get("EcsParameters", {}).get("TaskDefinitionArn", "")))
    return bool(family) and family in {task.family, taskdef.family(task.template)}


def _put_target(account: Account, task: ScheduledTask, starter: Starter) -> None:
    answer = account.events.put_targets(Rule=task.rule, Targets=[_aimed(starter.document, starter.revision)])
    if refused := answer.get("FailedEntries"):
        said = f"{refused[0].get('ErrorCode', '')} {refused[0].get('ErrorMessage', '')}".strip()
        raise AwsError(f"rule {task.rule} was not set to {starter.revision}: {said}")
    switch = account.events.enable_rule if starter.state == "ENABLED" else account.events.disable_rule
    switch(Name=task.rule)


def _aimed(target: Mapping[str, Any], revision: str) -> Any:
    return {**target, "EcsParameters": {**target["EcsParameters"], "TaskDefinitionArn": revision}}


def _state(document: Mapping[str, Any]) -> State:
    return "DISABLED" if document.get("State") == "DISABLED" else "ENABLED"


def _absent(task: ScheduledTask) -> ContractError:
    kind = "rule" if task.rule else "schedule"
    return ContractError(
        f"the contract names the {kind} {task.rule or task.schedule}, but no {kind} of that name starts {task.family}",
        hint="inv infra.apply",
    )
