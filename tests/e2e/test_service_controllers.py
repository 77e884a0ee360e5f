"""A service whose state is from before the module knew controllers, and one that gets another controller.

Terraform against moto's server, which has services and their controllers, and no tasks.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.e2e.answering import PROVIDER
from tests.e2e.project import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.answering import Answering

pytestmark = pytest.mark.e2e

NAME, CLUSTER = "shop-stg-web", "shop-stg"
SERVICE = "module.service.aws_ecs_service.this"
CODE = """
variable "cluster" { type = string }
variable "template" { type = string }
variable "group" { type = string }
variable "green" { type = string }
variable "subnet" { type = string }
variable "tasks" { type = string }
variable "balancer" { type = string }
variable "controller" { type = string }

module "service" {
  source = "./modules/service"

  name                  = "shop-stg-web"
  cluster_arn           = var.cluster
  template_arn          = var.template
  subnets               = [var.subnet]
  security_group        = var.tasks
  assign_public_ip      = false
  deployment_controller = var.controller

  load_balancer = {
    container            = "app"
    port                 = 80
    arn                  = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:loadbalancer/app/shop/1"
    target_group         = var.group
    green_target_group   = var.green
    security_group       = var.balancer
    grace_period_seconds = 30
  }
}

output "name" { value = module.service.name }
"""


def surroundings(answering: Answering) -> dict[str, str]:
    """Make what the service stands on; return the variables of Terraform."""
    ec2, ecs, balancing = (answering.client(one) for one in ("ec2", "ecs", "elbv2"))
    network = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = (
        balancing.create_target_group(Name=one, Protocol="HTTP", Port=80, VpcId=network, TargetType="ip")
        for one in ("blue", "green")
    )
    blue, green = (one["TargetGroups"][0]["TargetGroupArn"] for one in made)
    subnet = ec2.create_subnet(VpcId=network, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    tasks, balancer = (
        ec2.create_security_group(GroupName=one, Description=one, VpcId=network)["GroupId"]
        for one in ("tasks", "balancer")
    )
    template = ecs.register_task_definition(
        family=f"{NAME}-template", containerDefinitions=[{"name": "app", "image": "app", "memory": 64}]
    )["taskDefinition"]["taskDefinitionArn"]
    cluster = ecs.create_cluster(clusterName=CLUSTER)["cluster"]["clusterArn"]
    places = {"subnet": subnet, "tasks": tasks, "balancer": balancer}
    return {"cluster": cluster, "template": template, "group": blue, "green": green, **places}


def controller(answering: Answering) -> str:
    """Return who moves the one service that is there."""
    found = answering.client("ecs").describe_services(cluster=CLUSTER, services=[NAME])["services"]
    (there,) = (one for one in found if one["status"] == "ACTIVE")
    return str((there.get("deploymentController") or {}).get("type", "ECS"))


def test_a_service_of_before_stays_and_another_controller_is_another_service(
    answering: Answering, tmp_path: Path
) -> None:
    variables = surroundings(answering)
    shutil.copytree(ROOT / "terraform/modules/service", tmp_path / "modules/service")
    (tmp_path / "main.tf").write_text(PROVIDER + CODE, encoding="utf-8")
    answering.terraform(tmp_path, "init", "-input=false")

    def applied(wanted: str, *options: str) -> str:
        known = {**variables, "controller": wanted}
        return answering.terraform(tmp_path, "apply", "-auto-approve", "-input=false", *options, variables=known)

    applied("ECS", "-parallelism=1")  # a call that moto fails under others is repeated, and the rule is there then
    answering.terraform(tmp_path, "state", "mv", f"{SERVICE}[0]", SERVICE)  # as the state was
    said = applied("ECS")  # moto forgets the grace period, so there may be changes
    assert f"{SERVICE}[0]" in said
    assert "0 added" in said
    assert "0 destroyed" in said
    assert controller(answering) == "ECS"
    for wanted in ("CODE_DEPLOY", "ECS"):  # one apply is enough, there and back
        said = applied(wanted)
        assert "1 added" in said
        assert "1 destroyed" in said
        assert controller(answering) == wanted
