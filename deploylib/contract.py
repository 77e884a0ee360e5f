"""The contract: the one JSON document that Terraform publishes in SSM Parameter Store and a deploy reads."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from deploylib.errors import AwsError, ContractError

if TYPE_CHECKING:
    from types_boto3_ssm.client import SSMClient

    from deploylib.config import Environment

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancer:
    """What a deployment that swaps target groups needs, as ARNs; the first target group is what Terraform began with.

    `test_listener` is empty without one.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    container: str
    port: int
    target_groups: tuple[str, ...]
    listener: str
    test_listener: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityShare:
    """How much of a service's tasks a capacity provider (FARGATE, FARGATE_SPOT) gets."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    provider: str
    base: int = 0
    weight: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeDeploy:
    """How CodeDeploy moves a service: its application and deployment group, by name, and how long it takes, in minutes.

    `ready_wait_minutes` is how long it waits for `inv continue` before traffic moves, `shift_minutes` from the first
    share of it to the last, `termination_wait_minutes` how long the original tasks stay then. `hooks` are Lambda
    functions by lifecycle event.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    application: str
    deployment_group: str
    ready_wait_minutes: float = 0.0
    shift_minutes: float = 0.0
    termination_wait_minutes: float = 0.0
    platform_version: str = "LATEST"
    capacity: tuple[CapacityShare, ...] = ()
    hooks: Mapping[str, str] = field(default_factory=dict)

    @property
    def waits(self) -> dict[str, float]:
        """What CodeDeploy waits for by itself, in minutes."""
        return {
            "until inv continue": self.ready_wait_minutes,
            "to move the traffic": self.shift_minutes,
            "of termination wait": self.termination_wait_minutes,
        }

    @property
    def course(self) -> tuple[str, ...]:
        """What CodeDeploy does on its way to a new revision, in words."""
        ready, shift, kept = self.ready_wait_minutes, self.shift_minutes, self.termination_wait_minutes
        return (
            *([f"calls hooks at {', '.join(self.hooks)}"] if self.hooks else []),
            *([f"waits up to {ready:g} min for inv continue"] if ready else []),
            f"moves the traffic in {shift:g} min" if shift else "moves all traffic at once",
            *([f"keeps the original tasks for {kept:g} min"] if kept else []),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledTask:
    """What starts tasks by itself: `schedule` is its name in the group `default`, `family` what a deploy writes.

    A deploy sets it to the revision that it registered, and enables it if `enabled` says so. Infrastructure that is not
    of our Terraform may have a `rule` of the event bus `default` instead of a schedule.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    name: str
    family: str
    template: str
    containers: Mapping[str, str]
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    schedule: str = ""
    rule: str = ""
    enabled: bool = True
    assign_public_ip: bool = False
    log_group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceContract:
    """One ECS service: what a deploy must know to release into it.

    `template` is the ARN of Terraform's task-definition revision; `family` the one that the deploy writes. Of
    infrastructure that others made there is no template: what is live is the template of what comes next.
    `containers` maps each managed container to its image role; `desired_count` is what the first deploy asks for.
    `codedeploy` is there where CodeDeploy moves it, and not ECS.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    name: str
    family: str
    template: str
    desired_count: int
    containers: Mapping[str, str]
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    assign_public_ip: bool = False
    log_group: str = ""
    load_balancer: LoadBalancer | None = None
    codedeploy: CodeDeploy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteBuild:
    """Where images are built with `engine = "codebuild"`: a CodeBuild project, the bucket of its sources.

    `platform` is that of its machines, in Docker's words: `linux/arm64`.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    project: str
    bucket: str
    platform: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """Everything that a deploy reads of the infrastructure; keys of a later minor edition are ignored.

    `ledger` is the DynamoDB table of the releases; `cache_repository` the ECR repository of BuildKit's layers.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    version: int
    app: str
    environment: str
    account_id: str
    region: str
    cluster: str
    repository: str
    services: Mapping[str, ServiceContract]
    ledger: str
    cache_repository: str = ""
    url: str = ""
    remote_build: RemoteBuild | None = None
    scheduled_tasks: Mapping[str, ScheduledTask] = field(default_factory=dict)

    @property
    def tasks(self) -> Mapping[str, ServiceContract | ScheduledTask]:
        """Everything that tasks are of, by key; no service and no scheduled task have the same one."""
        return {**self.services, **self.scheduled_tasks}

    @property
    def families(self) -> tuple[str, ...]:
        """The families that deploys write, sorted."""
        services = (one.family for one in self.services.values())
        return tuple(sorted([*services, *(one.family for one in self.scheduled_tasks.values())]))


def of(ssm: SSMClient, environment: Environment) -> Contract:
    """Return *environment*'s contract: the one that stands in its file, else the one that Terraform has published.

    Raises `ContractError` as `read` does.
    """
    if environment.contract is None:
        return read(ssm, environment.contract_parameter)
    given = dataclasses.asdict(environment.contract)
    for one in (*given["services"].values(), *given["scheduled_tasks"].values()):
        one |= {"template": "", "desired_count": 0}  # whoever made it says how many
        if one.get("load_balancer"):
            one["load_balancer"] |= {"target_groups": (), "listener": ""}  # CodeDeploy's group has them
    known = {"version": VERSION, "app": environment.app.name, "environment": environment.name}
    account = {"account_id": environment.account.id, "region": environment.account.region}
    return TypeAdapter(Contract).validate_python({**known, **account, **given})


def read(ssm: SSMClient, parameter: str) -> Contract:
    """Return the contract in *parameter*; raise `ContractError` when it is missing or of another version."""
    try:
        value = ssm.get_parameter(Name=parameter)["Parameter"]["Value"]
    except AwsError as error:
        if error.code != "ParameterNotFound":
            raise
        raise ContractError(
            f"Terraform has not published {parameter} in this account", hint=_apply(parameter)
        ) from error
    return parse(value, parameter)


def parse(value: str, parameter: str) -> Contract:
    """Return the contract that *value* holds; raise `ContractError` when it is not one of version 1."""
    try:
        document: Any = json.loads(value)
    except json.JSONDecodeError as error:
        raise ContractError(f"{parameter} is not JSON: {error}", hint=_apply(parameter)) from error
    found = document.get("version") if isinstance(document, dict) else None
    if found != VERSION:
        raise ContractError(
            f"{parameter} has version {found!r}; this tool reads version {VERSION}",
            hint=_apply(parameter) if not isinstance(found, int) or found < VERSION else "update this tool",
        )
    try:
        return TypeAdapter(Contract).validate_python(document)
    except ValidationError as error:
        keys = ", ".join(".".join(map(str, one["loc"])) for one in error.errors())
        raise ContractError(f"{parameter} lacks or mistypes {keys}", hint=_apply(parameter)) from error


def _apply(parameter: str) -> str:
    return f"inv infra.apply --env {parameter.split('/')[2]}"
