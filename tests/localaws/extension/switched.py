"""A service of CodeDeploy on a real emulator: two target groups, a listener for all and one for testers."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.localaws.extension.emulated import SERVE, container, until

if TYPE_CHECKING:
    from tests.localaws.extension.emulated import Emulator

PAGE = "/cgi-bin/version"
TEST_PORT = 8443
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
CODE_DEPLOY = {"deploymentController": {"type": "CODE_DEPLOY"}}
AT_ONCE = {
    "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 0},
    "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 0},
}
WAITS_FOR_A_PERSON = {
    "deploymentReadyOption": {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 30},
    "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 600},
}
ROLL_BACK = ("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A load balancer whose listeners forward to the first of two target groups, by ARN."""

    aws: Emulator
    image: str
    name: str
    listener: str
    test_listener: str
    blue: str
    green: str

    @property
    def url(self) -> str:
        return f"http://{self.name}.alb.localhost:{self.aws.port}{PAGE}"

    @property
    def groups(self) -> dict[str, str]:
        return {"applicationName": self.name, "deploymentGroupName": "web"}

    def shown(self) -> str:
        """Return what testers see."""
        return self.aws.get(self.name, PAGE, port=TEST_PORT)[1]

    def healthy(self, group: str) -> int:
        """Return how many targets of a group are healthy."""
        told = self.aws.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return sum(one["TargetHealth"]["State"] == "healthy" for one in told)

    def revision(self, version: str, command: str = SERVE) -> str:
        """Register a server that answers with its *version*, and return its ARN."""
        given = {"environment": [{"name": "VERSION", "value": version}], "stopTimeout": 3}
        return self.aws.register(self.name, container("web", command, image=self.image, **given))

    def service(self, name: str, definition: str, group: str, **more: Any) -> None:
        """Create a service of two tasks behind a target *group*, and wait for them."""
        self.aws.ecs.create_service(
            cluster="main",
            serviceName=name,
            taskDefinition=definition,
            desiredCount=2,
            networkConfiguration=NETWORK,
            loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 8080}],
            **more,
        )
        until(lambda: self.healthy(group) == 2)

    def deployment_group(self, **more: Any) -> None:
        """Make an application of CodeDeploy, and in it a group for the service that has the switch's name."""
        codedeploy = self.aws.client("codedeploy")
        codedeploy.create_application(applicationName=self.name, computePlatform="ECS")
        pair = {
            "targetGroups": [{"name": f"{self.name}-{colour}"} for colour in ("blue", "green")],
            "prodTrafficRoute": {"listenerArns": [self.listener]},
            "testTrafficRoute": {"listenerArns": [self.test_listener]},
        }
        codedeploy.create_deployment_group(
            **self.groups,
            serviceRoleArn="arn:aws:iam::000000000000:role/codedeploy",
            ecsServices=[{"clusterName": "main", "serviceName": self.name}],
            deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
            loadBalancerInfo={"targetGroupPairInfoList": [pair]},
            **{"blueGreenDeploymentConfiguration": AT_ONCE, **more},
        )

    def deploy(self, definition: str, **hooks: str) -> str:
        """Make a deployment that is rolled back whatever ends it early; *hooks* are functions by event."""
        properties = {
            "TaskDefinition": definition,
            "LoadBalancerInfo": {"ContainerName": "web", "ContainerPort": 8080},
            "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": ["subnet-1"]}},
        }
        resource = {"TargetService": {"Type": "AWS::ECS::Service", "Properties": properties}}
        spec = {"version": 0.0, "Resources": [resource], "Hooks": [{event: one} for event, one in hooks.items()]}
        made = self.aws.client("codedeploy").create_deployment(
            **self.groups,
            revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(spec)}},
            autoRollbackConfiguration={"enabled": True, "events": list(ROLL_BACK)},
        )
        return str(made["deploymentId"])

    def info(self, deployment: str) -> dict[str, Any]:
        """Return what CodeDeploy says of a deployment."""
        return dict(self.aws.client("codedeploy").get_deployment(deploymentId=deployment)["deploymentInfo"])

    def status(self, deployment: str) -> str:
        return str(self.info(deployment)["status"])

    def target(self, deployment: str) -> dict[str, Any]:
        """Return how far the service is in a deployment."""
        asked = {"deploymentId": deployment, "targetId": f"main:{self.name}"}
        return dict(self.aws.client("codedeploy").get_deployment_target(**asked)["deploymentTarget"]["ecsTarget"])

    def task_sets(self) -> dict[str, str]:
        """Return the revision of each task set of the service, by its status."""
        found = self.aws.ecs.describe_services(cluster="main", services=[self.name])["services"][0]
        return {one["status"]: one["taskDefinition"] for one in found["taskSets"]}


def switch(aws: Emulator, image: str) -> Switch:
    """Make a load balancer that can be switched from one target group to another."""
    elb, name = aws.client("elbv2"), f"sw-{uuid.uuid4().hex[:8]}"
    balancer = elb.create_load_balancer(Name=name, Subnets=["subnet-1"])["LoadBalancers"][0]["LoadBalancerArn"]
    groups = [_group(elb, f"{name}-{colour}") for colour in ("blue", "green")]
    listeners = [_listener(elb, balancer, port, groups[0]) for port in (80, TEST_PORT)]
    made = {"listener": listeners[0], "test_listener": listeners[1], "blue": groups[0], "green": groups[1]}
    return Switch(aws=aws, image=image, name=name, **made)


def _group(elb: Any, name: str) -> str:
    asked = {"Protocol": "HTTP", "Port": 8080, "VpcId": "vpc-1", "TargetType": "ip", "HealthCheckPath": "/index.html"}
    made = elb.create_target_group(Name=name, **asked)["TargetGroups"][0]
    return str(made["TargetGroupArn"])


def _listener(elb: Any, balancer: str, port: int, group: str) -> str:
    actions = [{"Type": "forward", "TargetGroupArn": group}]
    made = elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=port, DefaultActions=actions)
    return str(made["Listeners"][0]["ListenerArn"])


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
