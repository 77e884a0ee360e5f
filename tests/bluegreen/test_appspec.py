"""The AppSpec that CodeDeploy is given, against what it has to look like."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from deploylib.bluegreen import appspec
from deploylib.contract import CapacityShare, CodeDeploy, LoadBalancer, ServiceContract
from deploylib.errors import ContractError

GOLDEN = Path(__file__).parent / "golden"
REVISION = "arn:aws:ecs:ap-northeast-1:111111111111:task-definition/guestbook-stg-web:7"

SERVICE = ServiceContract(
    name="guestbook-stg-web",
    family="guestbook-stg-web",
    template="arn:aws:ecs:ap-northeast-1:111111111111:task-definition/guestbook-stg-web-template:3",
    desired_count=2,
    containers={"app": "web", "nginx": "nginx"},
    subnets=("subnet-1", "subnet-2"),
    security_groups=("sg-1",),
    load_balancer=LoadBalancer(container="nginx", port=8080, target_groups=("blue", "green"), listener="listener"),
    codedeploy=CodeDeploy(application="guestbook-stg", deployment_group="web"),
)
FULL = replace(
    SERVICE,
    assign_public_ip=True,
    codedeploy=CodeDeploy(
        application="guestbook-stg",
        deployment_group="web",
        platform_version="1.4.0",
        capacity=(
            CapacityShare(provider="FARGATE", base=1, weight=1),
            CapacityShare(provider="FARGATE_SPOT", weight=3),
        ),
        hooks={"AfterAllowTraffic": "guestbook-smoke", "BeforeInstall": "guestbook-ready"},
    ),
)


@pytest.mark.parametrize(("name", "service"), [("plain", SERVICE), ("full", FULL)])
def test_appspec_is_what_codedeploy_wants(name: str, service: ServiceContract) -> None:
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    assert appspec.document(service, task_definition=REVISION) == golden


def test_hooks_are_in_the_order_that_they_run_in() -> None:
    hooks = appspec.document(FULL, task_definition=REVISION)["Hooks"]
    assert [key for one in hooks for key in one] == ["BeforeInstall", "AfterAllowTraffic"]


def test_content_is_the_document_and_its_digest_is_that_of_the_text() -> None:
    text = appspec.content(FULL, task_definition=REVISION)
    assert json.loads(text) == appspec.document(FULL, task_definition=REVISION)
    assert appspec.digest(text) == hashlib.sha256(text.encode()).hexdigest()


def test_a_placeholder_stays_as_it_is() -> None:
    spec = appspec.document(SERVICE, task_definition="<TASK_DEFINITION>")
    assert spec["Resources"][0]["TargetService"]["Properties"]["TaskDefinition"] == "<TASK_DEFINITION>"


def test_a_service_without_a_load_balancer_is_refused() -> None:
    with pytest.raises(ContractError, match="no load balancer"):
        appspec.document(replace(SERVICE, load_balancer=None), task_definition=REVISION)
