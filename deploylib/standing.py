"""What the services stand on, beside what Terraform says: templates that wait for a deploy, objects that are in use."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploylib import contract as contracts
from deploylib import observe, rollout, schedules, starters, taskdef
from deploylib.errors import AwsError, ContractError, OutdatedError
from deploylib.infra import usage

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from deploylib.aws import Account
    from deploylib.config import Environment
    from deploylib.contract import ScheduledTask
    from deploylib.infra.changes import Changes
    from deploylib.plan import LiveService
    from deploylib.schedules import LiveSchedule

PARALLEL_CALLS = 8
NO_CLUSTER = "ClusterNotFoundException"
NO_REPOSITORY = "RepositoryNotFoundException"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One service: its revision (`FAMILY:NUMBER`), its tasks, and what Terraform changed that waits for a deploy.

    `released`: a deploy was there; before that a service stands on Terraform's own template, without tasks. `waits` has
    the dotted paths that differ; it may be empty although the `template` is a newer one, which then changes nothing.
    A scheduled task has a `state` in place of counts: `enabled` or `disabled`.
    """

    service: str
    name: str
    revision: str
    template: str
    commit: str
    desired: int
    running: int
    released: bool
    waits: tuple[str, ...] = ()
    state: str = ""


def observed(account: Account, environment: Environment) -> tuple[Standing, ...]:
    """Return how each service and scheduled task stands; raise `ContractError` when nothing has been applied."""
    contract = observe.contract(account, environment)
    with ThreadPoolExecutor(1) as pool:
        scheduled = pool.submit(schedules.observe, account, contract)
        services = [of(one) for one in observe.live(account, contract).services]
        return (*services, *map(_starting, scheduled.result()))


def of(live: LiveService) -> Standing:
    """Return how one service stands (pure)."""
    return Standing(
        service=live.key,
        name=live.contract.name,
        revision=live.revision.rpartition("/")[2],
        template=str(live.template["taskDefinitionArn"]).rpartition("/")[2],
        commit=taskdef.tag(live.definition, taskdef.TAG_COMMIT),
        desired=int(live.description.get("desiredCount", 0)),
        running=int(live.description.get("runningCount", 0)),
        released=not live.first,
        waits=_waiting(live),
    )


def _starting(live: LiveSchedule) -> Standing:
    return Standing(
        service=live.key,
        name=live.contract.schedule or live.contract.rule,
        revision=live.revision.rpartition("/")[2],
        template=str(live.template["taskDefinitionArn"]).rpartition("/")[2],
        commit=taskdef.tag(live.definition, taskdef.TAG_COMMIT),
        desired=0,
        running=0,
        released=not live.first,
        waits=_waiting(live),
        state=live.starter.state.lower(),
    )


def pending(account: Account, environment: Environment) -> tuple[Standing, ...]:
    """Return the released services whose template waits for a deploy; none when nothing has been applied."""
    try:
        return tuple(one for one in observed(account, environment) if one.waits and one.released)
    except ContractError:
        return ()


def refuse_pending(environment: Environment, services: Sequence[Standing]) -> None:
    """Raise `OutdatedError` when a template waits for a deploy."""
    if names := [one.service for one in services if one.waits and one.released]:
        raise OutdatedError(
            f"{environment.name}: {', '.join(names)} does not run what Terraform says",
            hint=f"inv deploy --env {environment.name}",
        )


def marked(changes: Changes, account: Account, environment: Environment) -> Changes:
    """Return *changes* with the dangers that only AWS can tell: what is in use, and which repositories are empty.

    Asks nobody when nothing goes that could be used.
    """
    if urls := usage.repositories(changes):
        changes = usage.without_empty(changes, [url for url in urls if _is_empty(account, url)])
    return usage.mark(changes, _uses(account, environment)) if usage.matters(changes) else changes


def _waiting(live: LiveService | LiveSchedule) -> tuple[str, ...]:
    """Return what the next deploy changes beside images."""
    managed = set(live.contract.containers)
    old, new = (_without_images(one, managed) for one in (live.definition, live.template))
    return tuple(one.path.removeprefix("containerDefinitions.") for one in taskdef.differences(old, new))


def _without_images(definition: taskdef.Definition, managed: Collection[str]) -> taskdef.Definition:
    containers = [
        {key: value for key, value in one.items() if key != "image" or one["name"] not in managed}
        for one in definition["containerDefinitions"]
    ]
    return {**definition, "containerDefinitions": containers}


def _uses(account: Account, environment: Environment) -> tuple[usage.Use, ...]:
    """Return what each released service and scheduled task uses; what ECS does not have uses nothing."""
    try:
        contract = contracts.of(account.ssm, environment)
        described = rollout.describe(account.ecs, contract.cluster, [one.name for one in contract.services.values()])
    except ContractError:
        return ()
    except AwsError as error:
        if error.code != NO_CLUSTER:
            raise
        return ()
    services = [one for one in described.values() if taskdef.family(one["taskDefinition"]) in contract.families]
    starting = [_started(account, one) for one in contract.scheduled_tasks.values()]
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        running = pool.map(lambda one: _definition(account, one["taskDefinition"]), services)
        scheduled = pool.map(lambda one: _definition(account, one), starting)
        return (
            *(usage.use(one, service) for one, service in zip(running, services, strict=True) if one),
            *(usage.use(one) for one in scheduled if one),
        )


def _started(account: Account, task: ScheduledTask) -> str:
    """Return the revision that *task* starts, or its family where its schedule is not there."""
    try:
        return starters.read(account, task).revision
    except ContractError:
        return task.family


def _definition(account: Account, name: str) -> taskdef.Definition | None:
    """Return the task definition with that ARN, or the newest of that family, if there is one."""
    try:
        return account.ecs.describe_task_definition(taskDefinition=name)["taskDefinition"]
    except AwsError as error:
        if error.code not in observe.GONE:
            raise
        return None


def _is_empty(account: Account, url: str) -> bool:
    """Whether the repository has no image, or is gone already."""
    try:
        return not account.ecr.describe_images(repositoryName=url.partition("/")[2], maxResults=1)["imageDetails"]
    except AwsError as error:
        if error.code == NO_REPOSITORY:
            return True
        raise
