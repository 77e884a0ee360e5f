"""An environment from a service that is live already, and that this project's Terraform did not make.

Observed are the service, its task definition, who owns the images; what is written is one file that a person reads and
corrects. AWS is only read. docs/environments.md says what is different with such an environment.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deploylib import aws, config, ledger, strategies
from deploylib.bluegreen import finding
from deploylib.config import files
from deploylib.config.schema import NAME, REGION
from deploylib.errors import AwsError, ConfigError, ContractError
from deploylib.images import reference
from deploylib.patience import groups_of
from deploylib.verify import definitions, mending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from deploylib.aws import Account
    from deploylib.config import Environment
    from deploylib.taskdef import Definition

NOT_IN_A_NAME = re.compile(r"[^a-z0-9-]+")
LONGEST_NAME = 31
ROLLING = "ECS"
NO_REPOSITORY = "RepositoryNotFoundException"
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which service, how to sign in to its account, and what the environment is called; empty: found out."""

    cluster: str
    service: str
    name: str
    profile: str = ""
    region: str = ""
    config_file: str = ""
    ledger: str = ""
    codedeploy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is live: *repositories* has the URI of the ECR repository of each container whose image is from one.

    *group* is the deployment group of CodeDeploy that moves the service, *waits* the minutes that its deployments wait.
    """

    account_id: str
    region: str
    description: Mapping[str, Any]
    definition: Definition
    repositories: Mapping[str, str]
    url: str = ""
    group: Mapping[str, Any] = field(default_factory=dict)
    waits: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The text of an environment's file, and what a person should do before and after."""

    name: str
    text: str
    ledger: str
    remarks: tuple[str, ...] = ()


def wanted(place: str, name: str, **known: str) -> Wanted:
    """Return what *place* (`CLUSTER/SERVICE`) asks for; raise `ConfigError` when it is none."""
    cluster, slash, service = place.rpartition("/")
    if not (cluster and slash and service):
        raise ConfigError(f"{place!r} is no CLUSTER/SERVICE", hint="inv init --from-service CLUSTER/SERVICE")
    return Wanted(cluster=cluster, service=service, name=name or named(service), **known)


def refuse_existing(root: Path, name: str) -> None:
    """Raise `ConfigError` when there is such an environment, or none can be called so."""
    if name == files.COMMON or not re.fullmatch(NAME, name):
        raise ConfigError(f"{name!r} is no name of an environment", hint="add --env with small letters")
    if (root / files.DIRECTORY / f"{name}.toml").exists():
        raise ConfigError(f"{files.DIRECTORY}/{name}.toml is there already", hint="add --env with another name")


def sign_in(root: Path, asked: Wanted, variables: Mapping[str, str]) -> Account:
    """Return a session for the account of the service, as its file will describe it.

    Raises `ConfigError` when nobody says the region.
    """
    environment = config.Environment(
        name=asked.name,
        root=root,
        app=config.App(name="app", path="."),
        account=config.Account(
            id="0" * 12, region=region(asked, variables), profile=asked.profile, config_file=asked.config_file
        ),
        images=config.Images(roles={"app": config.RoleImage(dockerfile="Dockerfile")}),
    )
    return aws.signed_in(environment)


def region(asked: Wanted, variables: Mapping[str, str]) -> str:
    """Return the region that is asked for, else that of the variables that every AWS tool knows."""
    found = asked.region or variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION") or ""
    if not re.fullmatch(REGION, found):
        raise ConfigError(f"which region? {found!r} is none", hint="add --region, such as ap-northeast-1")
    return found


def look(account: Account, asked: Wanted, where: str) -> Found:
    """Return what is live of that service in the region *where*; five calls, one more for each repository.

    Where CodeDeploy moves it, those of `finding` as well. Raises `ConfigError` for a service that is not there, whose
    deployments a third party makes, or whose deployment group nobody finds.
    """
    identity = account.sts.get_caller_identity()
    answer = account.ecs.describe_services(cluster=asked.cluster, services=[asked.service])
    active = [strategies.steered(one) for one in answer["services"] if one.get("status") == "ACTIVE"]
    if not active:
        raise ConfigError(
            f"{asked.cluster} has no active service {asked.service}",
            hint=f"aws ecs list-services --cluster {asked.cluster}",
        )
    description = active[0]
    group = _group(account, description, asked)
    definition = account.ecs.describe_task_definition(taskDefinition=description["taskDefinition"])["taskDefinition"]
    return Found(
        account_id=identity["Account"],
        region=where,
        description=description,
        definition=definition,
        repositories=repositories(account, definition),
        url=_url(account, description),
        group=group,
        waits=finding.minutes(account, group) if group else {},
    )


def _group(account: Account, description: Mapping[str, Any], asked: Wanted) -> Mapping[str, Any]:
    """Return the deployment group of a service under CodeDeploy; nothing of one under ECS."""
    controller = (description.get("deploymentController") or {}).get("type", ROLLING)
    if controller not in (ROLLING, strategies.CODE_DEPLOY):
        raise ConfigError(
            f"{controller} makes the deployments of {description['serviceName']}; this tool knows ECS and CodeDeploy",
            hint="give the service the deployment controller ECS or CODE_DEPLOY first",
        )
    if controller == ROLLING:
        return {}
    cluster = str(description["clusterArn"]).rpartition("/")[2]
    return finding.group(account, cluster, str(description["serviceName"]), named=asked.codedeploy)


def repositories(account: Account, definition: Definition) -> dict[str, str]:
    """Return the repository of each container whose image is in this account's ECR, whatever its host is called."""
    ask = functools.cache(lambda path: _uri(account, path))
    parsed = {one["name"]: reference.parse(one["image"]) for one in definition["containerDefinitions"]}
    return {name: one.repository for name, one in parsed.items() if one.domain and ask(one.path) == one.repository}


def _uri(account: Account, path: str) -> str:
    try:
        return account.ecr.describe_repositories(repositoryNames=[path])["repositories"][0]["repositoryUri"]
    except AwsError as error:
        if error.code not in {NO_REPOSITORY, "InvalidParameterException"}:  # the second: no name that ECR would take
            raise
        return ""


def _url(account: Account, description: Mapping[str, Any]) -> str:
    """Return the address of the load balancer, where there is one and we may ask for it."""
    arns = groups_of(description)
    if not arns:
        return ""
    try:
        group = account.elbv2.describe_target_groups(TargetGroupArns=[arns[0]])["TargetGroups"][0]
        balancers = account.elbv2.describe_load_balancers(LoadBalancerArns=group["LoadBalancerArns"])
    except AwsError:
        return ""
    return next((f"http://{one['DNSName']}" for one in balancers["LoadBalancers"] if one.get("DNSName")), "")


def draft(found: Found, asked: Wanted, common: Mapping[str, Any]) -> Draft:
    """Return the file of an environment for what was *found*, beside what is in *common* already (pure).

    Raises `ConfigError` when no container runs an image that could be replaced.
    """
    repository = _repository(found)
    app = str(files.table_at(common, "app").get("name") or named(repository.rpartition("/")[2]))
    containers = {name: named(name) for name, uri in found.repositories.items() if uri == repository}
    table = asked.ledger or f"{app}-{asked.name}-releases"
    parts = (
        _heading(asked),
        *([] if files.table_at(common, "app") else [_table("app", {"name": app, "path": "."})]),
        _account(found, asked),
        *_images(found, containers.values(), files.table_at(common, "images", "roles")),
        _contract(found, repository, table),
        _service(found, asked, containers),
        *([_table(f"services.{key_of(asked)}", {"strategy": "codedeploy"})] if found.group else []),
    )
    return Draft(
        name=asked.name, text="\n".join(parts), ledger=table, remarks=tuple(_remarks(found, repository, containers))
    )


def _repository(found: Found) -> str:
    """Return the repository that a release would push to: of the container behind the load balancer, else the first."""
    balanced = [one.get("containerName") for one in found.description.get("loadBalancers") or ()]
    essential = [one["name"] for one in found.definition["containerDefinitions"] if one.get("essential", True)]
    for name in (*balanced, *essential, *found.repositories):
        if name in found.repositories:
            return found.repositories[str(name)]
    images = ", ".join(str(one["image"]) for one in found.definition["containerDefinitions"])
    raise ConfigError(
        f"no container of {found.description['serviceName']} runs an image of this account's ECR: {images}",
        hint="push its image to ECR and let the service run that, then repeat the command",
    )


def _heading(asked: Wanted) -> str:
    return (
        f"# Written by inv init from the service {asked.service} of the cluster {asked.cluster}, as it was then.\n"
        f"# Read it and correct it: inv env.validate --env {asked.name}, inv verify --env {asked.name}.\n\n"
        "protected = true # a release wants the environment's name typed\n"
    )


def _account(found: Found, asked: Wanted) -> str:
    signing_in = {"profile": asked.profile, "config_file": asked.config_file}
    given = {name: value for name, value in signing_in.items() if value}
    return _table("account", {"id": found.account_id, "region": found.region, **given})


def _images(found: Found, roles: Iterable[str], known: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the images of the roles need that no other file has; the Dockerfile is a guess."""
    platform = definitions.platform(found.definition)
    if platform not in {"", "linux/amd64"}:
        yield _table("images", {"platform": platform})
    for role in dict.fromkeys(roles):
        if role not in known:
            yield _table(f"images.roles.{role}", {"dockerfile": "Dockerfile"})


def _contract(found: Found, repository: str, table: str) -> str:
    values = {"cluster": found.description["clusterArn"], "repository": repository, "ledger": table, "url": found.url}
    return _table("contract", {key: value for key, value in values.items() if value})


def _service(found: Found, asked: Wanted, containers: Mapping[str, str]) -> str:
    network = _placed(found.description, "networkConfiguration").get("awsvpcConfiguration") or {}
    needed = definitions.needs(found.definition)
    values = {
        "name": found.description["serviceName"],
        "family": found.definition["family"],
        "containers": containers,
        "subnets": network.get("subnets") or (),
        "security_groups": network.get("securityGroups") or (),
        "assign_public_ip": network.get("assignPublicIp") == "ENABLED",
        "log_group": next((one.name for one in needed.log_groups), ""),
        **(_codedeploy(found) if found.group else {}),
    }
    return _table(f"contract.services.{key_of(asked)}", {key: one for key, one in values.items() if one})


def _placed(description: Mapping[str, Any], key: str) -> Any:
    """Return what the task set that takes the traffic says of where its tasks run, else what the service does."""
    serving = [one for one in description.get("taskSets", ()) if one["status"] == "PRIMARY"]
    return next((one[key] for one in (*serving, description) if one.get(key)), {})


def _codedeploy(found: Found) -> dict[str, Any]:
    """Return what a deployment of CodeDeploy is made from, beside the network."""
    balancer: Mapping[str, Any] = next(iter(found.description.get("loadBalancers") or ()), {})
    switched = {
        "container": str(balancer.get("containerName", "")),
        "port": int(balancer.get("containerPort", 0)),
        "test_listener": finding.shown_on(found.group),
    }
    settings = {
        "application": found.group["applicationName"],
        "deployment_group": found.group["deploymentGroupName"],
        **found.waits,
        "capacity": [_share(one) for one in _placed(found.description, "capacityProviderStrategy")],
    }
    given: dict[str, dict[str, Any]] = {"load_balancer": switched, "codedeploy": settings}
    return {name: {key: one for key, one in table.items() if one} for name, table in given.items()}


def _share(capacity: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "provider": capacity["capacityProvider"],
        "base": capacity.get("base", 0),
        "weight": capacity.get("weight", 0),
    }


def _remarks(found: Found, repository: str, containers: Mapping[str, str]) -> Iterator[str]:
    for one in found.definition["containerDefinitions"]:
        if one["name"] not in containers:
            other = "of another repository" if one["name"] in found.repositories else "of no repository of this account"
            yield f"{one['name']} keeps its image {one['image']}: it is {other}"
    if found.group:
        yield "hooks stand in no deployment group: add those of its AppSpec as codedeploy.hooks, or they are not called"
    family = found.definition["family"]
    yield f"releases push to {repository}, tagged ROLE-c… and ROLE-COMMIT, and register revisions of {family}"
    yield "whoever else changes the service's task definition or desired count should stop: Terraform by ignore_changes"


def _table(name: str, values: Mapping[str, Any]) -> str:
    lines = "".join(f"{key(one)} = {_toml(value)}\n" for one, value in values.items())
    return f"[{name}]\n{lines}"


def key(name: str) -> str:
    """Return *name* as a key of TOML."""
    return name if BARE_KEY.fullmatch(name) else _string(name)


def _string(text: str) -> str:
    """Return a string of JSON, which is one of TOML too but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml(value: Any) -> str:
    """Return *value* in TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(one) for one in value)}]"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int | float):
        return f"{value:g}"
    return f"{{ {', '.join(f'{key(name)} = {_toml(one)}' for name, one in value.items())} }}"


def key_of(asked: Wanted) -> str:
    """Return what a release calls the service: its name, without that of the cluster in front."""
    cluster = asked.cluster.rpartition("/")[2]
    return named(asked.service.removeprefix(f"{cluster}-").removeprefix(f"{cluster}_"))


def named(text: str) -> str:
    """Return *text* as the configuration takes names: small letters, digits and hyphens, from a letter on."""
    name = NOT_IN_A_NAME.sub("-", text.lower()).strip("-").lstrip("0123456789-")[:LONGEST_NAME].rstrip("-")
    return name or "app"


def common(root: Path) -> Mapping[str, Any]:
    """Return what the project has in common for every environment; nothing in an empty one."""
    return files.toml(root, files.COMMON)[0]


def write(root: Path, made: Draft) -> Path:
    """Write the file; raise `ConfigError` when it is there already."""
    refuse_existing(root, made.name)
    path = root / files.DIRECTORY / f"{made.name}.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(made.text, encoding="utf-8")
    return path


def steps(root: Path, made: Draft, sign_in: Callable[[Environment], Account] = aws.signed_in) -> tuple[str, ...]:
    """Return what a person does next: correct the file, make the table, verify, look at the plan.

    The files are read as every command reads them, so that the mistakes are those that a release would meet.
    """
    try:
        environment = config.load(root, made.name)
    except ConfigError as error:
        return (str(error), f"correct it, then: inv env.validate --env {made.name}")
    following = (f"inv verify --env {made.name}", f"inv deploy --env {made.name} --dry-run")
    if _has_table(sign_in(environment), made.ledger):
        return following
    return (f"the ledger and the lock need a table: {mending.table(made.ledger)}", *following)


def _has_table(account: Account, name: str) -> bool:
    try:
        ledger.entries(account.dynamodb, name, limit=1)
    except ContractError:
        return False
    except AwsError:
        return True  # nobody knows, and verify will say why
    return True
