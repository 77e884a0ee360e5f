"""A deployment made in the application and group of CodeDeploy that Terraform made, against moto's server.

moto has no deployment configurations, so traffic moves at once here; and its deployments never advance: how one ends
is told by the state machine of tests/fakes. What is proved is that the module can be applied, and that CodeDeploy takes
our AppSpec for that group.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deploylib.bluegreen import appspec, deployments
from deploylib.contract import CodeDeploy, LoadBalancer, ServiceContract
from deploylib.errors import AwsError
from tests.e2e.answering import REGION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.e2e.answering import Answering

pytestmark = pytest.mark.e2e

NAME = "shop-stg-web"
CODE = """
variable "cluster" { type = string }
variable "listener" { type = string }

module "blue_green" {
  source = "./modules/blue_green"

  name                     = "shop-stg-web"
  cluster_arn              = var.cluster
  service_name             = "shop-stg-web"
  listener                 = var.listener
  target_group_names       = ["blue", "green"]
  ready_wait_minutes       = 30
  termination_wait_minutes = 15
  hooks                    = { AfterAllowTestTraffic = "arn:aws:lambda:ap-northeast-1:123456789012:function:smoke" }
}

output "application" { value = module.blue_green.application }
output "deployment_group" { value = module.blue_green.deployment_group }
"""


def surroundings(answering: Answering) -> dict[str, str]:
    """Make what the service stands on, and the service; return the variables of Terraform."""
    ec2, balancing, ecs = (answering.client(one) for one in ("ec2", "elbv2", "ecs"))
    network = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=network, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{z}")["Subnet"][
            "SubnetId"
        ]
        for n, z in enumerate("ac")
    ]
    groups = [
        balancing.create_target_group(Name=one, Protocol="HTTP", Port=80, VpcId=network, TargetType="ip")[
            "TargetGroups"
        ][0]["TargetGroupArn"]
        for one in ("blue", "green")
    ]
    balancer = balancing.create_load_balancer(Name="shop", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    forward = [{"Type": "forward", "TargetGroupArn": groups[0]}]
    listener = balancing.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=forward)
    cluster = ecs.create_cluster(clusterName="shop-stg")["cluster"]["clusterArn"]
    ecs.register_task_definition(family=NAME, containerDefinitions=[{"name": "app", "image": "app", "memory": 64}])
    ecs.create_service(
        cluster=cluster,
        serviceName=NAME,
        taskDefinition=NAME,
        desiredCount=1,
        deploymentController={"type": "CODE_DEPLOY"},
        loadBalancers=[{"targetGroupArn": groups[0], "containerName": "app", "containerPort": 80}],
    )
    return {"cluster": cluster, "listener": listener["Listeners"][0]["ListenerArn"]}


def test_codedeploy_takes_our_deployment_in_terraforms_group(answering: Answering, tmp_path: Path) -> None:
    variables = surroundings(answering)
    made = answering.apply(tmp_path, CODE, "blue_green", variables=variables)
    group = answering.client("codedeploy").get_deployment_group(
        applicationName=made["application"], deploymentGroupName=made["deployment_group"]
    )["deploymentGroupInfo"]
    assert group["ecsServices"] == [{"serviceName": NAME, "clusterName": "shop-stg"}]
    deployed(answering, made, variables["cluster"])


def deployed(answering: Answering, made: Mapping[str, str], cluster: str) -> None:
    """Make a deployment as a release does, and look at what CodeDeploy has of it."""
    account = answering.account("stg")
    service = ServiceContract(
        name=NAME,
        family=NAME,
        template="",
        desired_count=1,
        containers={"app": "web"},
        subnets=("subnet-1",),
        security_groups=("sg-1",),
        load_balancer=LoadBalancer(container="app", port=80, target_groups=("blue", "green"), listener=""),
        codedeploy=CodeDeploy(application=made["application"], deployment_group=made["deployment_group"]),
    )
    revision = answering.client("ecs").register_task_definition(
        family=NAME, containerDefinitions=[{"name": "app", "image": "app:2", "memory": 64}]
    )["taskDefinition"]["taskDefinitionArn"]
    move = deployments.Move(key="web", cluster=cluster, service=service, revision=revision, previous=f"{NAME}:1")
    target = deployments.start(account, move)
    (info,) = deployments.described(account, (target.deployment,))
    assert info["status"] == "Created"
    assert info["computePlatform"] == "ECS"
    content = info["revision"]["appSpecContent"]
    assert json.loads(content["content"]) == appspec.document(service, task_definition=revision)
    assert [str(one["deploymentId"]) for one in deployments.under_way(account, deployments.group(service))] == [
        target.deployment
    ]
    with pytest.raises(AwsError):
        deployments.start(account, replace(move, service=elsewhere(service)))


def elsewhere(service: ServiceContract) -> ServiceContract:
    """Return the service with a deployment group that nobody made."""
    return replace(service, codedeploy=CodeDeploy(application="shop", deployment_group="none"))
