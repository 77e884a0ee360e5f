"""A deployment made in the application and group of CodeDeploy that Terraform made, against moto's server.

moto has no deployment configurations, so traffic moves at once here; and its deployments never advance: how one ends
is told by the state machine of tests/fakes. What is proved is that the module can be applied, and that CodeDeploy takes
our AppSpec for that group.
"""

from __future__ import annotations

import json
import shutil
import sys
import types
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from deploylib import process
from deploylib.aws import Account
from deploylib.bluegreen import appspec, deployments
from deploylib.contract import CodeDeploy, LoadBalancer, ServiceContract
from deploylib.errors import AwsError
from deploylib.toolchain import machine, provider_mirror, terraform
from tests.e2e.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.e2e

NAME, REGION = "shop-stg-web", "ap-northeast-1"
CODE = """
provider "aws" {
  region                      = "ap-northeast-1"
  access_key                  = "x"
  secret_key                  = "x"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variable "cluster" { type = string }
variable "listener" { type = string }

module "blue_green" {
  source = "./blue_green"

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


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the address of an AWS that only answers: moto, in this process."""
    monkeypatch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
    # Nothing here comes from a browser, so that one package less is installed.
    monkeypatch.setitem(sys.modules, "flask_cors", types.SimpleNamespace(CORS=lambda _: None))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from moto.server import ThreadedMotoServer  # noqa: PLC0415  # only here, and only with the line above
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    for name, value in {"ENDPOINT_URL": address, "ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    yield address
    server.stop()


def client(service: str) -> Any:
    make: Any = boto3.client  # the name is data here
    return make(service, region_name=REGION)


def surroundings() -> dict[str, str]:
    """Make what the service stands on, and the service; return the variables of Terraform."""
    ec2, balancing, ecs = client("ec2"), client("elbv2"), client("ecs")
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


def run(folder: Path, variables: Mapping[str, str], *words: str) -> str:
    program = terraform.find(ROOT)
    known = provider_mirror.environment(ROOT, machine.this(), program)
    own = {f"TF_VAR_{name}": value for name, value in variables.items()}
    address = client("sts").meta.endpoint_url
    done = process.run(
        [program.program, *words, "-no-color"], cwd=folder, env={**known, **own, "AWS_ENDPOINT_URL": address}, ok=(0, 2)
    )
    return f"{done.returncode}" if "-detailed-exitcode" in words else done.stdout


def test_codedeploy_takes_our_deployment_in_terraforms_group(endpoint: str, tmp_path: Path) -> None:
    assert endpoint
    shutil.copytree(ROOT / "terraform/modules/blue_green", tmp_path / "blue_green")
    (tmp_path / "main.tf").write_text(CODE, encoding="utf-8")
    variables = surroundings()
    run(tmp_path, variables, "init", "-input=false")
    run(tmp_path, variables, "apply", "-auto-approve", "-input=false")
    assert run(tmp_path, variables, "plan", "-detailed-exitcode", "-input=false") == "0"
    made = {key: one["value"] for key, one in json.loads(run(tmp_path, variables, "output", "-json")).items()}
    group = client("codedeploy").get_deployment_group(
        applicationName=made["application"], deploymentGroupName=made["deployment_group"]
    )["deploymentGroupInfo"]
    assert group["ecsServices"] == [{"serviceName": NAME, "clusterName": "shop-stg"}]
    deployed(made, variables["cluster"])


def deployed(made: Mapping[str, str], cluster: str) -> None:
    """Make a deployment as a release does, and look at what CodeDeploy has of it."""
    account = Account(boto3.Session(region_name=REGION), environment="stg")
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
    revision = client("ecs").register_task_definition(
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
