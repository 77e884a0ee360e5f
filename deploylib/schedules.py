"""Scheduled tasks in a release: what starts them gets the new revision when the services have it, and goes back too.

`enabled` is Terraform's to say and anybody's to overrule by hand. So that neither is lost, a revision carries what
Terraform said when it was made (the tag `deploy:enabled`): only a change of that is carried out, and a schedule that
somebody has stopped in an emergency stays stopped.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from deploylib import events, starters, taskdef
from deploylib.errors import ConfigError, RefusedError
from deploylib.settings import names, store
from deploylib.taskdef import short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.contract import Contract, ScheduledTask
    from deploylib.starters import Starter, State

PARALLEL_CALLS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSchedule:
    """One scheduled task as AWS has it now: what starts it, the revision that it starts, Terraform's template.

    *missing* are the parameters that the template names and nobody has written.
    """

    key: str
    contract: ScheduledTask
    starter: Starter
    definition: taskdef.Definition
    template: taskdef.Definition
    missing: tuple[names.Reference, ...] = ()

    @property
    def revision(self) -> str:
        """The ARN of the task definition that is started now."""
        return self.starter.revision

    @property
    def first(self) -> bool:
        """Whether nothing was ever released into it: it still stands on Terraform's template."""
        return bool(self.contract.template) and taskdef.family(self.revision) != self.contract.family

    @property
    def wanted(self) -> State:
        """Whether Terraform wants it enabled."""
        return "ENABLED" if self.contract.enabled else "DISABLED"

    @property
    def switched(self) -> bool:
        """Whether Terraform says something else than at the release that is live."""
        return self.first or taskdef.tag(self.definition, taskdef.TAG_ENABLED) not in ("", self.wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulePlan:
    """What happens to one scheduled task.

    `update`: a revision is made from *template* with *images* (container → role), or is there already (*revision*),
    and is what starts from now on, in *state*; `unchanged`: that is so. *based_on* is the revision that it starts now,
    to which it *returns* in the state *returns_state*.
    """

    key: str
    contract: ScheduledTask
    action: Literal["update", "unchanged"]
    reason: str
    based_on: str
    returns_to: str
    template: taskdef.Definition
    images: Mapping[str, str]
    state: State
    returns_state: State
    differences: tuple[taskdef.Difference, ...] = ()
    revision: str = ""
    first: bool = False

    @property
    def name(self) -> str:
        """The name of the schedule, or of the rule."""
        return self.contract.schedule or self.contract.rule

    @property
    def family(self) -> str:
        """The family that its revisions are registered in."""
        return self.contract.family

    @property
    def tags(self) -> dict[str, str]:
        """What its revision is tagged with, beside what every revision is."""
        return {taskdef.TAG_ENABLED: "ENABLED" if self.contract.enabled else "DISABLED"}


def observe(account: Account, contract: Contract) -> tuple[LiveSchedule, ...]:
    """Return each scheduled task of *contract* as AWS has it now.

    For each one GetSchedule and one DescribeTaskDefinition, in parallel; one more for a template that the revision is
    no untouched copy of. One GetParameters for ten that they read. Raises `ContractError` for what AWS does not have.
    """
    tasks = contract.scheduled_tasks
    if not tasks:
        return ()
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        found = tuple(pool.map(lambda key: _live(account, key, tasks[key]), tasks))
    return _informed(account, contract, found)


def plan_schedules(
    contract: Contract, live: Sequence[LiveSchedule], references: Mapping[str, str]
) -> tuple[SchedulePlan, ...]:
    """Return what a release of *references* (role → image) changes in what starts by itself.

    Raises `ConfigError` for a role that no image is made for, `RefusedError` for a parameter that nobody has written.
    """
    plans = tuple(_plan(contract, one, references) for one in live)
    moving = {one.key for one in plans if one.action == "update"}
    _refuse_missing(contract, [one for one in live if one.key in moving])
    return plans


def plan_return(live: Sequence[LiveSchedule], revisions: Mapping[str, str]) -> tuple[SchedulePlan, ...]:
    """Return what makes each start the revision that *revisions* (key → ARN) has for it; the others stay."""
    return tuple(_returning(one, revisions.get(one.key, "")) for one in live)


def move(account: Account, plan: SchedulePlan, revision: str, *, clock: Clock = time) -> events.ScheduleMoved:
    """Have *revision* started from now on; tasks that run already run to their end.

    Repeatable: what starts *revision* already is left alone. Raises `RefusedError` when it is neither that nor what
    the plan was made on.
    """
    now = starters.read(account, plan.contract)
    if now.revision not in (plan.based_on, revision):
        raise RefusedError(
            f"{plan.name} starts {short(now.revision)} by now; the plan was made on {short(plan.based_on)}",
            hint="somebody else released in between: look at the new plan and deploy again",
        )
    _set(account, plan, now, replace(now, revision=revision, state=plan.state), clock)
    return events.ScheduleMoved(task=plan.key, schedule=plan.name, revision=revision)


def move_back(account: Account, plan: SchedulePlan, *, clock: Clock = time) -> events.ScheduleMoved:
    """Have that started again which was before the release, enabled or not as it was; repeatable."""
    now = starters.read(account, plan.contract)
    _set(account, plan, now, replace(now, revision=plan.returns_to, state=plan.returns_state), clock)
    return events.ScheduleMoved(task=plan.key, schedule=plan.name, revision=plan.returns_to, back=True)


def _set(account: Account, plan: SchedulePlan, now: Starter, then: Starter, clock: Clock) -> None:
    if then != now:
        starters.write(account, plan.contract, then, clock=clock)


def _live(account: Account, key: str, task: ScheduledTask) -> LiveSchedule:
    starter = starters.read(account, task)
    definition = _definition(account, starter.revision)
    copied = taskdef.template_of(definition, task.template, task.containers)
    template = definition if starter.revision == task.template else copied
    template = template if task.template else taskdef.own_template(definition)
    return LiveSchedule(
        key=key,
        contract=task,
        starter=starter,
        definition=definition,
        template=template or _definition(account, task.template),
    )


def _informed(account: Account, contract: Contract, live: Sequence[LiveSchedule]) -> tuple[LiveSchedule, ...]:
    """Return *live* with the parameters that are missing: ECS fails each task of a container that reads one."""
    reads = {one.key: names.references(one.template, contract.app, contract.environment) for one in live}
    wanted = sorted({each.parameter for found in reads.values() for each in found})
    there = store.read(account.ssm, wanted, store.Pace(), values=False)
    return tuple(
        replace(one, missing=tuple(each for each in reads[one.key] if each.parameter not in there)) for one in live
    )


def _refuse_missing(contract: Contract, moving: Sequence[LiveSchedule]) -> None:
    lacking = [(one.key, each) for one in moving for each in one.missing]
    if not lacking:
        return
    lines = "\n".join(f"  {key}/{each.container}: {each.variable} ({each.parameter})" for key, each in lacking)
    first = lacking[0][1].parameter
    is_setting = first.startswith(f"/{contract.app}/{contract.environment}/settings/")
    command = f"params.set {names.setting(first)}" if is_setting else "infra.apply"
    raise RefusedError(
        f"{contract.environment}: parameters are missing, so that no scheduled task could start\n{lines}",
        hint=f"inv {command} --env {contract.environment}",
    )


def _definition(account: Account, arn: str) -> taskdef.Definition:
    answer = account.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
    return {**answer["taskDefinition"], "tags": answer.get("tags", [])}


def _plan(contract: Contract, live: LiveSchedule, references: Mapping[str, str]) -> SchedulePlan:
    differences = taskdef.differences(live.definition, _proposed(contract, live, references))
    reason = _reason(live, differences)
    return SchedulePlan(
        key=live.key,
        contract=live.contract,
        action="update" if reason else "unchanged",
        reason=reason or "starts these images on this template already",
        based_on=live.revision,
        returns_to=live.revision,
        template=live.template,
        images=live.contract.containers,
        state=live.wanted if live.switched else live.starter.state,
        returns_state=live.starter.state,
        differences=differences,
        first=live.first,
    )


def _proposed(contract: Contract, live: LiveSchedule, references: Mapping[str, str]) -> taskdef.Definition:
    if missing := sorted(set(live.contract.containers.values()) - set(references)):
        raise ConfigError(
            f"scheduled task {live.key} runs the role {missing[0]!r}, but {contract.environment} makes no such image",
            hint=f"add [images.roles.{missing[0]}] to environments/common.toml",
        )
    images = {container: references[role] for container, role in live.contract.containers.items()}
    return taskdef.next_definition(
        live.template, images, family=live.contract.family, tags={}, writable=live.template.keys()
    )


def _reason(live: LiveSchedule, differences: tuple[taskdef.Difference, ...]) -> str:
    """Return why a revision is made, or nothing when none has to be."""
    if live.first:
        return "first release"
    known = taskdef.tag(live.definition, taskdef.TAG_TEMPLATE)
    new_template = bool(live.contract.template) and known != live.contract.template
    reasons = {
        "new image": any(one.path.endswith(".image") for one in differences),
        "new template from Terraform": bool(differences) and new_template,
        f"Terraform wants it {live.wanted.lower()}": live.switched,
    }
    found = " and ".join(reason for reason, holds in reasons.items() if holds)
    return found or ("changed" if differences else "")


def _returning(live: LiveSchedule, revision: str) -> SchedulePlan:
    moves = revision not in ("", live.revision)
    return SchedulePlan(
        key=live.key,
        contract=live.contract,
        action="update" if moves else "unchanged",
        reason=f"back to {short(revision)}" if moves else "starts that revision already" if revision else "not in it",
        based_on=live.revision,
        returns_to=live.revision,
        template=live.template,
        images=live.contract.containers,
        state=live.starter.state,
        returns_state=live.starter.state,
        revision=revision if moves else "",
        first=live.first,
    )
