"""What a task definition and a service need, and what does not fit between the two: purely, nothing is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib import strategies
from deploylib.verify.check import Check, missing, ok, together, warning

if TYPE_CHECKING:
    from deploylib.config import Migration
    from deploylib.contract import ScheduledTask, ServiceContract
    from deploylib.taskdef import Definition

Description = Mapping[str, Any]

AWSLOGS = "awslogs"
PLATFORMS = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}
ROLLING = "ECS"
MANAGER_PARTS = 7  # arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, and then JSON key, stage, version


@dataclass(frozen=True, slots=True, kw_only=True)
class LogGroup:
    """A log group that a container writes to; *created*: by its first line, if it is not there."""

    name: str
    region: str
    created: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What must be there before a task of a definition can start. Secrets are as they are named there."""

    execution_role: str = ""
    task_role: str = ""
    parameters: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    log_groups: tuple[LogGroup, ...] = ()
    images: tuple[tuple[str, str], ...] = ()
    platform: str = ""
    files: tuple[str, ...] = ()


def needs(definition: Definition) -> Needs:
    """Return what tasks of *definition* need; `images` are (container, reference)."""
    containers = definition["containerDefinitions"]
    named = list(dict.fromkeys(name for one in containers for name in _secrets(one)))
    return Needs(
        execution_role=str(definition.get("executionRoleArn") or ""),
        task_role=str(definition.get("taskRoleArn") or ""),
        parameters=tuple(one for one in named if not is_managed(one)),
        secrets=tuple(dict.fromkeys(":".join(one.split(":")[:MANAGER_PARTS]) for one in named if is_managed(one))),
        log_groups=tuple(dict.fromkeys(group for one in containers for group in _log_groups(one))),
        images=tuple((str(one["name"]), str(one["image"])) for one in containers),
        platform=platform(definition),
        files=tuple(dict.fromkeys(each["value"] for one in containers for each in one.get("environmentFiles") or ())),
    )


def is_managed(value_from: str) -> bool:
    """Whether a container's secret is one of Secrets Manager, and not a parameter."""
    return value_from.split(":")[2:3] == ["secretsmanager"]


def platform(definition: Definition) -> str:
    """Return what the tasks run on, as images say it; nothing for Windows."""
    wanted = definition.get("runtimePlatform") or {}
    if str(wanted.get("operatingSystemFamily") or "LINUX") != "LINUX":
        return ""
    return PLATFORMS.get(str(wanted.get("cpuArchitecture") or "X86_64"), "")


def _secrets(container: Mapping[str, Any]) -> Iterator[str]:
    yield from (str(one["valueFrom"]) for one in container.get("secrets") or ())
    yield from (str(one["valueFrom"]) for one in (container.get("logConfiguration") or {}).get("secretOptions") or ())
    if login := (container.get("repositoryCredentials") or {}).get("credentialsParameter"):
        yield str(login)


def _log_groups(container: Mapping[str, Any]) -> Iterator[LogGroup]:
    logging = container.get("logConfiguration") or {}
    options = logging.get("options") or {}
    if logging.get("logDriver") == AWSLOGS and options.get("awslogs-group"):
        created = str(options.get("awslogs-create-group", "")).lower() == "true"
        yield LogGroup(
            name=str(options["awslogs-group"]), region=str(options.get("awslogs-region", "")), created=created
        )


def service(description: Description, mend: str) -> Check:
    """Return whether a rollout could go through this service at all."""
    what = "service"
    if description.get("status") != "ACTIVE":
        return missing(what, f"{description.get('serviceName')} is {description.get('status')}", mend)
    controller = (description.get("deploymentController") or {}).get("type", ROLLING)
    if controller not in (ROLLING, strategies.CODE_DEPLOY):
        return missing(what, f"{controller} makes its deployments, and this tool those of ECS and CodeDeploy", mend)
    tasks = f"{description.get('runningCount', 0)} of {description.get('desiredCount', 0)} tasks run"
    how = strategies.WORDS[strategies.of(description)]
    return ok(what, ", ".join(filter(None, (str(description.get("serviceName")), how, tasks))))


def ending(description: Description, contract: ServiceContract, mend: str) -> Check:
    """Return whether AWS itself ends a deployment that cannot succeed: by ECS's circuit breaker, or in CodeDeploy."""
    return deployment_group(contract, mend) if strategies.by_codedeploy(description) else breaker(description, mend)


def deployment_group(contract: ServiceContract, mend: str) -> Check:
    """Return whether it is known where CodeDeploy moves a service. Each of our deployments goes back by itself."""
    what, settings = "deployment group", contract.codedeploy
    if settings is None:
        return missing(what, f"CodeDeploy moves {contract.name}, and nobody says in which group", mend)
    if contract.load_balancer is None:
        return missing(what, f"nobody says which port of {contract.name} CodeDeploy switches", mend)
    return ok(what, f"{settings.application}/{settings.deployment_group}")


def breaker(description: Description, mend: str) -> Check:
    """Return whether ECS itself ends a rollout that cannot succeed. Without it a release still does."""
    what = "circuit breaker"
    found = (description.get("deploymentConfiguration") or {}).get("deploymentCircuitBreaker") or {}
    if not found.get("enable"):
        return warning(what, "off: without a release that watches, ECS tries for ever", mend)
    if not found.get("rollback"):
        return warning(what, "on, without roll-back: without a release that watches, nothing goes back", mend)
    return ok(what, "on, rolls back")


def containers(contract: ServiceContract | ScheduledTask, definition: Definition, mend: str) -> Check:
    """Return whether the definition has every container that a release fills in."""
    there = [str(one["name"]) for one in definition["containerDefinitions"]]
    gone = sorted(set(contract.containers) - set(there))
    if gone:
        return missing(
            "containers", f"no {', '.join(gone)} in {_short(definition)}, which has {', '.join(there)}", mend
        )
    return ok("containers", ", ".join(there))


def ports(description: Description, definition: Definition, mend: str) -> tuple[Check, ...]:
    """Return for each target group whether its container publishes the port that the service sends to it."""
    published = {str(one["name"]): _ports(one) for one in definition["containerDefinitions"]}
    return tuple(_port(one, published, mend) for one in description.get("loadBalancers") or ())


def _port(balancer: Mapping[str, Any], published: Mapping[str, tuple[range, ...]], mend: str) -> Check:
    container, port = str(balancer.get("containerName")), int(balancer.get("containerPort") or 0)
    what = f"port of {group_name(str(balancer.get('targetGroupArn', '')))}"
    if container not in published:
        return missing(what, f"is of the container {container}, which the task does not have", mend)
    if not any(port in one for one in published[container]):
        there = ", ".join(_words(one) for one in published[container]) or "no port"
        return missing(what, f"is {port}, but {container} publishes {there}", mend)
    return ok(what, f"{container}:{port}")


def _ports(container: Mapping[str, Any]) -> tuple[range, ...]:
    return tuple(_range(one) for one in container.get("portMappings") or ())


def _range(mapping: Mapping[str, Any]) -> range:
    first, _, last = str(mapping.get("containerPortRange") or mapping.get("containerPort") or 0).partition("-")
    return range(int(first), int(last or first) + 1)


def _words(ports: range) -> str:
    return str(ports.start) if len(ports) == 1 else f"{ports.start}-{ports.stop - 1}"


def group(found: Mapping[str, Any], definition: Definition, mend: str) -> Check:
    """Return whether a target group can take the tasks of *definition*. (Its own port does not matter: ECS says it.)"""
    what = f"target group {found.get('TargetGroupName')}"
    wanted = "ip" if definition.get("networkMode") == "awsvpc" else "instance"
    if found.get("TargetType") != wanted:
        return missing(what, f"takes {found.get('TargetType')} targets, but the tasks are {wanted} targets", mend)
    if not found.get("LoadBalancerArns"):
        return missing(what, "belongs to no load balancer, and ECS starts nothing for such a one", mend)
    return _looked_at(what, found, definition)


def _looked_at(what: str, found: Mapping[str, Any], definition: Definition) -> Check:
    """A health check on a port of its own is a mistake often, but a side-car may well listen there."""
    port = str(found.get("HealthCheckPort") or "traffic-port")
    published = [one for container in definition["containerDefinitions"] for one in _ports(container)]
    if port.isdigit() and not any(int(port) in one for one in published):
        return warning(what, f"its health check asks port {port}, which no container publishes")
    path = found.get("HealthCheckPath") or ""
    return ok(what, f"asks {path or found.get('HealthCheckProtocol', 'TCP')}")


def network(description: Description, contract: ServiceContract, definition: Definition, mend: str) -> Check:
    """Return whether one-off tasks have a network as the service has it."""
    live = (description.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    if definition.get("networkMode") != "awsvpc":
        return ok("one-off tasks", "share the network of their machine")
    if not contract.subnets:
        return missing("one-off tasks", "have no subnets", mend)
    if differs := _elsewhere(live, contract):
        return warning("one-off tasks", f"run in other {' and '.join(differs)} than the service", mend)
    return ok("one-off tasks", "run in the service's network")


def _elsewhere(live: Mapping[str, Any], contract: ServiceContract) -> list[str]:
    pairs = {
        "subnets": (contract.subnets, live.get("subnets") or ()),
        "security groups": (contract.security_groups, live.get("securityGroups") or ()),
    }
    return [what for what, (ours, theirs) in pairs.items() if theirs and set(ours) != set(theirs)]


def migration(wanted: Migration, definition: Definition | None, mend: str) -> Check:
    """Return whether the migration's task could be run in the next revision of its service."""
    what = "migration"
    if definition is None:
        return missing(what, f"there is no service {wanted.service}", mend)
    containers = {str(one["name"]): one for one in definition["containerDefinitions"]}
    if wanted.container not in containers:
        there = ", ".join(containers)
        return missing(what, f"{wanted.service} has no container {wanted.container}, but {there}", mend)
    if not tuple(_log_groups(containers[wanted.container])):
        return warning(what, f"{wanted.container} does not log to CloudWatch: nothing of its output will be shown")
    return ok(what, f"{wanted.container} of {wanted.service}: {' '.join(wanted.command)}")


def fitting(description: Description, contract: ServiceContract, definition: Definition, mend: str) -> Check:
    """Return everything that can be said of a service without asking for more than it and its definition."""
    return together(
        contract.name,
        (
            service(description, mend),
            ending(description, contract, mend),
            containers(contract, definition, mend),
            *ports(description, definition, mend),
            network(description, contract, definition, mend),
        ),
    )


def group_name(arn: str) -> str:
    """Return the name in a target group's ARN."""
    return arn.split("/")[1] if arn.count("/") > 1 else arn


def _short(definition: Definition) -> str:
    return str(definition.get("taskDefinitionArn") or definition.get("family")).rpartition("/")[2]
