"""Where a command goes: a service or scheduled task of the contract, the container that is meant, what it runs now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib import aws, observe, oneoff, rollout, starters, taskdef
from deploylib.errors import ConfigError, ContractError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploylib.aws import Account
    from deploylib.config import Environment
    from deploylib.contract import Contract, ScheduledTask, ServiceContract
    from deploylib.taskdef import Definition


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One container of what *key* names. *definition* is the revision that runs now, or that is started next.

    *description* is the service as ECS has it; nothing for a scheduled task.
    """

    environment: str
    cluster: str
    key: str
    contract: ServiceContract | ScheduledTask
    container: str
    definition: Definition
    description: Mapping[str, Any]

    @property
    def revision(self) -> str:
        """The ARN of the task definition."""
        return str(self.definition["taskDefinitionArn"])

    @property
    def site(self) -> oneoff.Site:
        """Where a one-off task of it runs: beside its other tasks."""
        return oneoff.Site(cluster=self.cluster, service=self.contract, launch=oneoff.launch_of(self.description))


def find(account: Account, environment: Environment, *, key: str = "", container: str = "") -> Place:
    """Return the place that is meant; without *key* where the migration runs, or the only service.

    Raises `ConfigError` for a service or container that is not there, `RefusedError` before the first release.
    """
    aws.guard(account, environment)
    contract = observe.contract(account, environment)
    chosen = _key(environment, contract, key)
    service = contract.tasks[chosen]
    description = _description(account, contract, chosen)
    revision = str(description["taskDefinition"]) if description else _scheduled(account, contract, chosen)
    if taskdef.family(revision) != service.family:
        raise RefusedError(
            f"{environment.name}: nothing was released into {chosen} yet", hint=f"inv deploy --env {environment.name}"
        )
    definition = account.ecs.describe_task_definition(taskDefinition=revision)["taskDefinition"]
    return Place(
        environment=environment.name,
        cluster=contract.cluster,
        key=chosen,
        contract=service,
        container=_container(environment, service, chosen, definition, container),
        definition=definition,
        description=description,
    )


def _key(environment: Environment, contract: Contract, key: str) -> str:
    known = tuple(contract.tasks)
    usual = environment.migration.service if environment.migration else ""
    chosen = key or (usual if usual in known else known[0] if len(known) == 1 else "")
    if chosen in known:
        return chosen
    said = f"{environment.name} has no service or scheduled task {key!r}" if key else "of which service is not said"
    raise ConfigError(said, hint=f"--service: {', '.join(known)}")


def _description(account: Account, contract: Contract, key: str) -> Mapping[str, Any]:
    if key not in contract.services:
        return {}
    name = contract.services[key].name
    if found := rollout.describe(account.ecs, contract.cluster, [name]).get(name):
        return found
    raise ContractError(
        f"the contract names the service {name}, but {contract.cluster} does not have it",
        hint=f"inv infra.apply --env {contract.environment}",
    )


def _scheduled(account: Account, contract: Contract, key: str) -> str:
    return starters.read(account, contract.scheduled_tasks[key]).revision


def _container(
    environment: Environment, service: ServiceContract | ScheduledTask, key: str, definition: Definition, asked: str
) -> str:
    """Return the container that is *asked* for, else the migration's, else the first that a deploy fills in."""
    there = [str(one["name"]) for one in definition["containerDefinitions"]]
    if asked and asked not in there:
        raise ConfigError(f"{key} has no container {asked!r}", hint=f"--container: {', '.join(there)}")
    migration = environment.migration
    usual = [migration.container] if migration and migration.service == key else []
    return asked or next((one for one in (*usual, *service.containers) if one in there), there[0])
