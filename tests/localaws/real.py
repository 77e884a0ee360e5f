"""A real local AWS in a folder of its own, and small web servers in it behind a load balancer."""

from __future__ import annotations

import http.client
import io
import json
import time
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3

from deploylib.localaws import instance
from deploylib.toolchain.os_image import OsImage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE_SECONDS = 30
CLUSTER = "shop"
PORT = 8000
SERVE = """
my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 9, ReuseAddr => 1) or die $!;
$SIG{TERM} = sub { exit 0 };
while (my $client = $server->accept) {
    while (<$client>) { last if /^\\r?$/ }
    print $client "HTTP/1.0 200 OK\\r\\n\\r\\n$ENV{VERSION}";
    close $client;
}
"""
CODE_DEPLOY = {"deploymentController": {"type": "CODE_DEPLOY"}}
AT_ONCE = {
    "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 0},
    "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 0},
}
WAITS_FOR_A_PERSON = {
    "deploymentReadyOption": {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 30},
    "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 600},
}
# A function of a lifecycle hook, which says what its variable says.
HOOK = """
import os

import botocore.session


def handler(event, context):
    client = botocore.session.get_session().create_client("codedeploy")
    client.put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status=os.environ["VERDICT"],
    )
"""
ROLL_BACK = ("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST")
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


def client(root: Path, service: str) -> Any:
    """Return a client as product code gets one: by the shared configuration file and its profile."""
    local = instance.read(root, "local")
    assert local is not None
    session = boto3.Session(aws_access_key_id=local.account_id, aws_secret_access_key="x", region_name=local.region)
    return session.client(service, endpoint_url=local.endpoint)  # type: ignore[call-overload]  # the name is data


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        assert time.monotonic() < deadline, f"not reached within {PATIENCE_SECONDS} s"
        time.sleep(0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A load balancer with a listener for all and one for testers, and two target groups, of which one serves."""

    name: str
    url: str
    listener: str
    test_listener: str
    blue: str
    green: str


def switch(root: Path) -> Switch:
    """Make a load balancer that can be switched from one target group to another."""
    elb, local = client(root, "elbv2"), instance.read(root, "local")
    assert local is not None
    balancer = elb.create_load_balancer(Name="shop", Subnets=["subnet-1"])["LoadBalancers"][0]
    groups = [_group(elb, name) for name in ("blue", "green")]
    listeners = [_listener(elb, balancer["LoadBalancerArn"], port, groups[0]) for port in (80, 8443)]
    return Switch(
        name="shop",
        url=f"http://{balancer['DNSName']}",
        listener=listeners[0],
        test_listener=listeners[1],
        blue=groups[0],
        green=groups[1],
    )


def _group(elb: Any, name: str) -> str:
    asked = {"Protocol": "HTTP", "Port": PORT, "VpcId": "vpc-1", "TargetType": "ip", "HealthCheckIntervalSeconds": 5}
    made = elb.create_target_group(Name=name, **asked)["TargetGroups"][0]
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "1"}
    elb.modify_target_group_attributes(TargetGroupArn=made["TargetGroupArn"], Attributes=[delay])
    return str(made["TargetGroupArn"])


def _listener(elb: Any, balancer: str, port: int, group: str) -> str:
    actions = [{"Type": "forward", "TargetGroupArn": group}]
    made = elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=port, DefaultActions=actions)
    return str(made["Listeners"][0]["ListenerArn"])


def revision(root: Path, version: str, **more: Any) -> str:
    """Register a server that answers with its *version*, and return its ARN."""
    container = {
        "name": "app",
        "image": OsImage().name,
        "command": ["perl", "-MIO::Socket::INET", "-e", SERVE],
        "environment": [{"name": "VERSION", "value": version}],
        "portMappings": [{"containerPort": PORT}],
        "memory": 64,
        "stopTimeout": 2,
        **more,
    }
    made = client(root, "ecs").register_task_definition(
        family="web", networkMode="awsvpc", containerDefinitions=[container]
    )
    return str(made["taskDefinition"]["taskDefinitionArn"])


def service(root: Path, name: str, definition: str, group: str, **more: Any) -> None:
    """Create a service of two tasks behind a target *group*."""
    ecs = client(root, "ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    ecs.create_service(
        cluster=CLUSTER,
        serviceName=name,
        taskDefinition=definition,
        desiredCount=2,
        networkConfiguration=NETWORK,
        loadBalancers=[{"targetGroupArn": group, "containerName": "app", "containerPort": PORT}],
        **more,
    )


def healthy(root: Path, group: str) -> int:
    """Return how many targets of a group are healthy."""
    told = client(root, "elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    return sum(one["TargetHealth"]["State"] == "healthy" for one in told)


def deployment_group(root: Path, switch: Switch, name: str, **more: Any) -> dict[str, str]:
    """Make an application and a group of CodeDeploy for the service *name*, and return how they are named."""
    codedeploy, names = client(root, "codedeploy"), {"applicationName": "shop", "deploymentGroupName": "web"}
    codedeploy.create_application(applicationName="shop", computePlatform="ECS")
    codedeploy.create_deployment_group(
        **names,
        serviceRoleArn="arn:aws:iam::000000000000:role/codedeploy",
        ecsServices=[{"clusterName": CLUSTER, "serviceName": name}],
        deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        loadBalancerInfo={
            "targetGroupPairInfoList": [
                {
                    "targetGroups": [{"name": "blue"}, {"name": "green"}],
                    "prodTrafficRoute": {"listenerArns": [switch.listener]},
                    "testTrafficRoute": {"listenerArns": [switch.test_listener]},
                }
            ]
        },
        **{"blueGreenDeploymentConfiguration": AT_ONCE, **more},
    )
    return names


def hook(functions: Any, name: str, verdict: str) -> str:
    """Make a function that answers a lifecycle hook with *verdict*, by a client of Lambda, and return its ARN."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("hook.py", HOOK)
    made = functions.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role="arn:aws:iam::000000000000:role/hook",
        Handler="hook.handler",
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": {"VERDICT": verdict}},
    )
    return str(made["FunctionArn"])


def deploy(root: Path, group: dict[str, str], definition: str, **hooks: str) -> str:
    """Make a deployment of CodeDeploy, which is rolled back whatever ends it early; *hooks* are functions by event."""
    properties = {
        "TaskDefinition": definition,
        "LoadBalancerInfo": {"ContainerName": "app", "ContainerPort": PORT},
        "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": ["subnet-1"]}},
    }
    spec: dict[str, Any] = {
        "version": 0.0,
        "Resources": [{"TargetService": {"Type": "AWS::ECS::Service", "Properties": properties}}],
    }
    spec["Hooks"] = [{event: function} for event, function in hooks.items()]
    made = client(root, "codedeploy").create_deployment(
        **group,
        revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(spec)}},
        autoRollbackConfiguration={"enabled": True, "events": list(ROLL_BACK)},
    )
    return str(made["deploymentId"])


def status(root: Path, deployment: str) -> str:
    return str(info(root, deployment)["status"])


def info(root: Path, deployment: str) -> dict[str, Any]:
    """Return what CodeDeploy says of a deployment."""
    return dict(client(root, "codedeploy").get_deployment(deploymentId=deployment)["deploymentInfo"])


def target(root: Path, deployment: str, name: str) -> dict[str, Any]:
    """Return how far the service *name* is in a deployment."""
    asked = {"deploymentId": deployment, "targetId": f"{CLUSTER}:{name}"}
    return dict(client(root, "codedeploy").get_deployment_target(**asked)["deploymentTarget"]["ecsTarget"])


def task_sets(root: Path, name: str) -> dict[str, str]:
    """Return the revision of each task set of a service, by its status."""
    found = client(root, "ecs").describe_services(cluster=CLUSTER, services=[name])["services"][0]
    return {one["status"]: one["taskDefinition"] for one in found["taskSets"]}


def shown(root: Path, switch: Switch) -> str:
    """Return what testers see: the answer of the test listener."""
    local = instance.read(root, "local")
    assert local is not None
    connection = http.client.HTTPConnection("127.0.0.1", local.port, timeout=10)
    connection.request("GET", "/", headers={"Host": f"{switch.name}.alb.localhost:8443"})
    with connection.getresponse() as answer:
        body = answer.read().decode()
    connection.close()
    return body
