"""The AppSpec of an ECS service: what CodeDeploy is told of a deployment; made from the contract, and pure.

CodeDeploy takes nothing from the service but its name: container, port, platform, network and capacity are those that
are said here, so a change of Terraform's subnets arrives with the next deployment.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from deploylib.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploylib.contract import CodeDeploy, ServiceContract

VERSION = 0.0  # the only one
LIFECYCLE = (
    "BeforeInstall",
    "AfterInstall",
    "AfterAllowTestTraffic",
    "BeforeAllowTraffic",
    "AfterAllowTraffic",
)


def document(service: ServiceContract, *, task_definition: str) -> dict[str, Any]:
    """Return the AppSpec of a deployment of *task_definition*, an ARN or a placeholder, to *service*.

    Raises `ContractError` for a service without a load balancer. (The AppSpec reference for ECS, "resources" and
    "hooks"; hooks are in the order that they run in.)
    """
    balancer = service.load_balancer
    if balancer is None:
        raise ContractError(
            f"{service.name} has no load balancer, which CodeDeploy could switch", hint="inv infra.apply"
        )
    settings = service.codedeploy
    properties = {
        "TaskDefinition": task_definition,
        "LoadBalancerInfo": {"ContainerName": balancer.container, "ContainerPort": balancer.port},
        "PlatformVersion": settings.platform_version if settings else "LATEST",
        "NetworkConfiguration": {"AwsvpcConfiguration": _network(service)},
        **_capacity(settings),
    }
    hooks = list(_hooks(settings))
    return {
        "version": VERSION,
        "Resources": [{"TargetService": {"Type": "AWS::ECS::Service", "Properties": properties}}],
        **({"Hooks": hooks} if hooks else {}),
    }


def content(service: ServiceContract, *, task_definition: str) -> str:
    """Return the AppSpec as the JSON text that CreateDeployment takes."""
    return json.dumps(document(service, task_definition=task_definition))


def digest(text: str) -> str:
    """Return the SHA-256 of *text* in hexadecimal: CodeDeploy knows the revision by it."""
    return hashlib.sha256(text.encode()).hexdigest()


def _network(service: ServiceContract) -> dict[str, Any]:
    return {
        "Subnets": list(service.subnets),
        "SecurityGroups": list(service.security_groups),
        "AssignPublicIp": "ENABLED" if service.assign_public_ip else "DISABLED",
    }


def _capacity(settings: CodeDeploy | None) -> dict[str, Any]:
    shares = settings.capacity if settings else ()
    strategy = [{"Base": one.base, "CapacityProvider": one.provider, "Weight": one.weight} for one in shares]
    return {"CapacityProviderStrategy": strategy} if strategy else {}


def _hooks(settings: CodeDeploy | None) -> Iterator[dict[str, str]]:
    functions = settings.hooks if settings else {}
    return ({event: functions[event]} for event in LIFECYCLE if event in functions)
