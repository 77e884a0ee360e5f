"""One application in two accounts: a web that CodeDeploy moves, a job that ECS rolls out; what is live of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session

from deploylib import contract as contracts
from deploylib.pipeline.files import Release
from deploylib.plan import Live, LiveService

if TYPE_CHECKING:
    from deploylib.taskdef import Definition

DIGESTS = {role: f"sha256:{number * 64}" for role, number in (("web", "a"), ("nginx", "b"), ("job", "c"))}
COMMIT = "0123456789012345678901234567890123456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What one account has that another has not."""

    environment: str
    account_id: str
    subnets: tuple[str, ...]
    group: str

    @property
    def name(self) -> str:
        return f"shop-{self.environment}"

    @property
    def repository(self) -> str:
        return f"{self.account_id}.dkr.ecr.ap-northeast-1.amazonaws.com/shop"

    def facts(self) -> tuple[str, ...]:
        """Return every text that belongs to this account alone."""
        return (self.account_id, self.name, f"/shop/{self.environment}", *self.subnets, self.group)


STG = Place(environment="stg", account_id="111111111111", subnets=("subnet-1a", "subnet-1c"), group="sg-1")
PRD = Place(environment="prd", account_id="222222222222", subnets=("subnet-2a", "subnet-2c"), group="sg-2")


def document(place: Place, *, codedeploy: bool = True) -> dict[str, Any]:
    """Return what Terraform publishes in *place*."""
    return {
        "version": 1,
        "app": "shop",
        "environment": place.environment,
        "account_id": place.account_id,
        "region": "ap-northeast-1",
        "cluster": f"arn:aws:ecs:ap-northeast-1:{place.account_id}:cluster/{place.name}",
        "repository": place.repository,
        "ledger": f"{place.name}-releases",
        "services": {
            "web": {
                **_task(place, "web", {"app": "web", "nginx": "nginx"}),
                "desired_count": 2,
                "load_balancer": {"container": "nginx", "port": 8080, "target_groups": ["b", "g"], "listener": "l"},
                **({"codedeploy": _codedeploy(place)} if codedeploy else {}),
            },
            "job": {**_task(place, "job", {"worker": "job"}), "desired_count": 1},
        },
    }


def contract(place: Place, *, codedeploy: bool = True) -> contracts.Contract:
    return contracts.parse(json.dumps(document(place, codedeploy=codedeploy)), f"/shop/{place.environment}/contract")


def live(place: Place, *, codedeploy: bool = True, released: bool = True) -> Live:
    """Return what ECS has in *place*: released before, with other images."""
    found = contract(place, codedeploy=codedeploy)
    return Live(
        contract=found,
        services=tuple(_service(place, key, found.services[key], released=released) for key in found.services),
    )


def release(place: Place, *, codedeploy: bool = True, released: bool = True) -> Release:
    return Release(
        live=live(place, codedeploy=codedeploy, released=released),
        digests=DIGESTS,
        writable=writable(),
        commit=COMMIT,
    )


@cache
def model(service: str, operation: str) -> Any:
    """Return the shape of what *operation* takes, as botocore knows it."""
    return botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape


def writable() -> frozenset[str]:
    return frozenset(model("ecs", "RegisterTaskDefinition").members)


def template(place: Place, key: str) -> Definition:
    """Return the template that Terraform registered, as DescribeTaskDefinition tells it."""
    containers = {
        "web": [_container(place, "app", port=8000), _container(place, "nginx", port=8080), SIDECAR],
        "job": [_container(place, "worker")],
    }
    return {
        "taskDefinitionArn": _arn(place, f"{place.name}-{key}-template:3"),
        "family": f"{place.name}-{key}-template",
        "revision": 3,
        "status": "ACTIVE",
        "taskRoleArn": f"arn:aws:iam::{place.account_id}:role/{place.name}-{key}-task",
        "executionRoleArn": f"arn:aws:iam::{place.account_id}:role/{place.name}-execution",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "compatibilities": ["EC2", "FARGATE"],
        "cpu": "256",
        "memory": "512",
        "volumes": [],
        "containerDefinitions": containers[key],
        "tags": [{"key": "app", "value": "shop"}],
    }


SIDECAR = {"name": "agent", "image": "public.ecr.aws/acme/agent:1", "essential": False}


def _container(place: Place, name: str, *, port: int = 0) -> dict[str, Any]:
    secret = f"arn:aws:ssm:ap-northeast-1:{place.account_id}:parameter/shop/{place.environment}/settings/TOKEN"
    return {
        "name": name,
        "image": f"{place.repository}:set-by-deploy",
        "essential": True,
        "environment": [],
        "secrets": [{"name": "TOKEN", "valueFrom": secret}],
        "portMappings": [{"containerPort": port, "protocol": "tcp"}] if port else [],
    }


def _service(place: Place, key: str, one: contracts.ServiceContract, *, released: bool) -> LiveService:
    made = template(place, key)
    filled = {
        **made,
        "family": one.family,
        "taskDefinitionArn": _arn(place, f"{one.family}:7"),
        "containerDefinitions": [
            {**each, "image": f"{place.repository}@sha256:{'0' * 64}"} if each["name"] in one.containers else each
            for each in made["containerDefinitions"]
        ],
    }
    running = filled if released else made
    return LiveService(
        key=key,
        contract=one,
        description={"taskDefinition": running["taskDefinitionArn"], "deployments": []},
        definition=running,
        template=made,
    )


def _task(place: Place, key: str, containers: dict[str, str]) -> dict[str, Any]:
    return {
        "name": f"{place.name}-{key}",
        "family": f"{place.name}-{key}",
        "template": _arn(place, f"{place.name}-{key}-template:3"),
        "containers": containers,
        "subnets": list(place.subnets),
        "security_groups": [place.group],
    }


def _codedeploy(place: Place) -> dict[str, Any]:
    return {"application": place.name, "deployment_group": "web", "hooks": {"AfterAllowTestTraffic": "shop-look"}}


def _arn(place: Place, what: str) -> str:
    return f"arn:aws:ecs:ap-northeast-1:{place.account_id}:task-definition/{what}"
