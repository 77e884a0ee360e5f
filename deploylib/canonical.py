"""Task definitions in one form: two that ECS treats alike are equal in it.

RegisterTaskDefinition takes the same thing in many ways, and DescribeTaskDefinition returns it in one: with defaults
filled in (`essential`, `cpu: 0`, `protocol: tcp`), empty lists for what was left out, numbers of units where `1 vCPU`
was asked for. Lists whose order means nothing become mappings by name. The defaults are those of the API reference of
RegisterTaskDefinition; a field that is not named here is compared as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

# What DescribeTaskDefinition adds to what was registered, and what each revision has of its own.
OWN = frozenset(
    {
        "taskDefinitionArn",
        "family",
        "revision",
        "status",
        "requiresAttributes",
        "compatibilities",
        "registeredAt",
        "registeredBy",
        "deregisteredAt",
        "deleteRequestedAt",
        "tags",
    }
)

TASK, CONTAINERS = "", "containerDefinitions"

# What ECS does where nothing is said: by the field that something stands under.
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    TASK: {"networkMode": "bridge", "enableFaultInjection": False},
    CONTAINERS: {
        "cpu": 0,
        "essential": True,
        "privileged": False,
        "readonlyRootFilesystem": False,
        "interactive": False,
        "pseudoTerminal": False,
        "disableNetworking": False,
        "versionConsistency": "enabled",
    },
    "portMappings": {"hostPort": 0, "protocol": "tcp"},
    "healthCheck": {"interval": 30, "timeout": 5, "retries": 3, "startPeriod": 0},
    "mountPoints": {"readOnly": False},
    "volumesFrom": {"readOnly": False},
    "linuxParameters": {"initProcessEnabled": False, "swappiness": 60},
    "efsVolumeConfiguration": {"rootDirectory": "/", "transitEncryption": "DISABLED"},
    "authorizationConfig": {"iam": "DISABLED"},
    "dockerVolumeConfiguration": {"autoprovision": False, "scope": "task"},
    "restartPolicy": {"enabled": False},
}
FARGATE_PLATFORM = {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"}

# Lists whose order means nothing: by the field that tells their items apart.
UNORDERED: Mapping[str, str] = {
    CONTAINERS: "name",
    "environment": "name",
    "secrets": "name",
    "secretOptions": "name",
    "tags": "key",
    "volumes": "name",
    "mountPoints": "containerPath",
    "volumesFrom": "sourceContainer",
    "dependsOn": "containerName",
    "ulimits": "name",
    "systemControls": "namespace",
    "extraHosts": "hostname",
    "resourceRequirements": "type",
    "tmpfs": "containerPath",
    "devices": "hostPath",
}
SETS = frozenset({"requiresCompatibilities", "add", "drop", "dockerSecurityOptions", "mountOptions"})

UNITS_PER_VCPU, MEBIBYTES_PER_GIGABYTE = 1024, 1024
AMOUNT = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*(vcpu|gb)\s*", re.IGNORECASE)
SSM_ARN = re.compile(r"arn:[\w-]+:ssm:(?P<home>[^:]*:[^:]*):parameter(?P<name>/.+)")
HOST_PORTS = frozenset({"awsvpc", "host"})  # there a container's port is the host's


def form(definition: Mapping[str, Any], *, home: str = "") -> Any:
    """Return *definition* in one form, without what each revision has of its own.

    *home* is `REGION:ACCOUNT`: a parameter from there may be written as its ARN or as its name.
    """
    task = {key: value for key, value in definition.items() if key not in OWN}
    for key, read in _AMOUNTS.items():
        if isinstance(task.get(key), str):
            task[key] = read(task[key])
    if isinstance(task.get(CONTAINERS), list):
        task[CONTAINERS] = [_container(one, task, home) for one in task[CONTAINERS]]
    if _on_fargate(task) and isinstance(task.get("runtimePlatform"), Mapping):
        task["runtimePlatform"] = _without(task["runtimePlatform"], FARGATE_PLATFORM)
    return _normal(task, TASK)


def home(definition: Mapping[str, Any]) -> str:
    """Return `REGION:ACCOUNT` of a definition that has an ARN; nothing of another."""
    parts = str(definition.get("taskDefinitionArn", "")).split(":")
    return ":".join(parts[3:5]) if len(parts) > 5 else ""  # noqa: PLR2004  # arn, partition, service, region, account


def _container(container: Any, task: Mapping[str, Any], home: str) -> Any:
    """Return a container with what depends on its task said in one way: ports, references to parameters."""
    if not isinstance(container, Mapping):
        return container
    made = dict(container)
    if isinstance(made.get("portMappings"), list):
        made["portMappings"] = _ports(made["portMappings"], task)
    if isinstance(made.get("secrets"), list):
        made["secrets"] = [_reference(one, home) for one in made["secrets"]]
    return made


def _ports(mappings: Iterable[Any], task: Mapping[str, Any]) -> Any:
    """Return port mappings by `PORT/PROTOCOL`; a list, where two have the same or one has none."""
    items = list(mappings)
    if not all(isinstance(one, Mapping) for one in items):
        return items
    if task.get("networkMode") in HOST_PORTS:
        items = [_without(one, {"hostPort": one.get("containerPort")}) for one in items]
    named = {f"{_port(one)}/{one.get('protocol', 'tcp')}": one for one in items}
    if len(named) < len(items):
        return items
    return {name: _without(one, DEFAULTS["portMappings"]) for name, one in named.items()}


def _port(mapping: Mapping[str, Any]) -> Any:
    return mapping.get("containerPort") or mapping.get("containerPortRange")


def _reference(secret: Any, home: str) -> Any:
    """Return a secret whose parameter, if it is at *home*, is written by its name."""
    if not (isinstance(secret, Mapping) and isinstance(secret.get("valueFrom"), str)):
        return secret
    found = SSM_ARN.fullmatch(secret["valueFrom"])
    if not found or found["home"] != home:
        return secret
    name = found["name"]
    return {**secret, "valueFrom": name if name.count("/") > 1 else name[1:]}


def _on_fargate(task: Mapping[str, Any]) -> bool:
    wanted = task.get("requiresCompatibilities")
    return isinstance(wanted, list | tuple) and "FARGATE" in wanted


def _units(text: str) -> str:
    """Return CPU units: `.5 vCPU` is 512."""
    return _amount(text, "vcpu", UNITS_PER_VCPU)


def _mebibytes(text: str) -> str:
    """Return MiB: `0.5 GB` is 512."""
    return _amount(text, "gb", MEBIBYTES_PER_GIGABYTE)


def _amount(text: str, unit: str, factor: int) -> str:
    found = AMOUNT.fullmatch(text)
    if not found or found[2].lower() != unit:
        return text
    return str(round(float(found[1]) * factor))


_AMOUNTS: Mapping[str, Callable[[str], str]] = {"cpu": _units, "memory": _mebibytes}


def _normal(value: Any, field: str | None) -> Any:
    """Return *value*, which stands under *field*: without defaults and empty values, unordered lists by name."""
    if isinstance(value, Mapping):
        named = {key: _listed(key, one) for key, one in _without(value, DEFAULTS.get(field or "", {})).items()}
        return {key: one for key, one in named.items() if one not in (None, "", [], {})}
    if isinstance(value, list | tuple):
        return [_normal(one, field) for one in value]
    return value


def _listed(field: str, value: Any) -> Any:
    """Return what stands under *field*, by name if it is a list of named things."""
    if not isinstance(value, list | tuple):
        return _normal(value, field)
    if field in SETS:
        return sorted(value, key=str)
    label = UNORDERED.get(field)
    if label is None or not _are_named(value, label):
        return _normal(value, field)
    return {str(one[label]): _named({k: v for k, v in one.items() if k != label}, field) for one in value}


def _are_named(items: Iterable[Any], label: str) -> bool:
    """Whether each item has a name of its own."""
    listed = list(items)
    names = [str(one[label]) for one in listed if isinstance(one, Mapping) and label in one]
    return len(set(names)) == len(listed)


def _named(rest: dict[str, Any], field: str) -> Any:
    """Return `{"value": x}` as x: an environment variable then reads NAME: old -> new."""
    return next(iter(rest.values())) if set(rest) in ({"value"}, {"valueFrom"}) else _normal(rest, field)


def _without(value: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return *value* but for what says the same as *defaults*; 0 is not False."""
    return {key: one for key, one in value.items() if not _same(one, defaults, key)}


def _same(value: Any, defaults: Mapping[str, Any], key: str) -> bool:
    return key in defaults and type(value) is type(defaults[key]) and bool(value == defaults[key])
