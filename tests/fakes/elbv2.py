"""Elastic Load Balancing as far as a rollout sees it: the targets that the fake ECS registers, and their health.

`attributes` are those of a target group by its ARN, `groups` what else differs; what is not there has AWS's defaults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tests.fakes.door import FakeClient, Refused, Response, operation

if TYPE_CHECKING:
    from tests.fakes.clock import FakeClock
    from tests.fakes.ecs import FakeEcs
    from tests.fakes.tasks import Task

DEFAULTS = {
    "deregistration_delay.timeout_seconds": "300",
    "slow_start.duration_seconds": "0",
    "stickiness.enabled": "false",
}
REGISTERED = ("ACTIVATING", "RUNNING", "DEACTIVATING")
MISMATCH = "Health checks failed with these codes: [500]"


class FakeElbv2(FakeClient):
    """The `elbv2` client: target groups that services of *ecs* name in their load balancers."""

    service: ClassVar[str] = "elbv2"

    def __init__(self, clock: FakeClock, *, ecs: FakeEcs, **shared: Any) -> None:
        super().__init__(clock, **shared)
        self._ecs = ecs
        self.attributes: dict[str, dict[str, str]] = {}
        self.groups: dict[str, dict[str, Any]] = {}

    @operation
    def describe_target_groups(self, **request: Any) -> Response:
        return {"TargetGroups": [self._group(self._known(arn)) for arn in request["TargetGroupArns"]]}

    @operation
    def describe_load_balancers(self, **request: Any) -> Response:
        named = [(arn, arn.split("/")[2]) for arn in request["LoadBalancerArns"]]
        return {
            "LoadBalancers": [
                {"LoadBalancerArn": arn, "DNSName": f"{name}.elb.example.test", "Scheme": "internet-facing"}
                for arn, name in named
            ]
        }

    @operation
    def describe_target_group_attributes(self, **request: Any) -> Response:
        arn = self._known(request["TargetGroupArn"])
        values = {**DEFAULTS, **self.attributes.get(arn, {})}
        return {"Attributes": [{"Key": key, "Value": value} for key, value in values.items()]}

    @operation
    def describe_target_health(self, **request: Any) -> Response:
        arn = self._known(request["TargetGroupArn"])
        tasks = [one for one in self._ecs.tasks.values() if one.target_group == arn and one.status in REGISTERED]
        return {"TargetHealthDescriptions": [_health(one) for one in tasks]}

    def _group(self, arn: str) -> dict[str, Any]:
        """Return what AWS tells of a group that a load balancer sends to; `groups` has what differs."""
        return {
            "TargetGroupArn": arn,
            "TargetGroupName": arn.split("/")[1],
            "TargetType": "ip",
            "Protocol": "HTTP",
            "Port": 80,
            "HealthCheckPort": "traffic-port",
            "HealthCheckPath": "/healthz",
            "LoadBalancerArns": [arn.replace(":targetgroup/", ":loadbalancer/app/")],
            **self.groups.get(arn, {}),
        }

    def _known(self, arn: str) -> str:
        if arn not in {group for one in self._ecs.services.values() for group in one.target_groups}:
            raise Refused("TargetGroupNotFound", "One or more target groups not found")
        return arn


def _health(task: Task) -> dict[str, Any]:
    return {
        "Target": {"Id": task.address, "Port": 8000, "AvailabilityZone": "ap-northeast-1a"},
        "HealthCheckPort": "8000",
        "TargetHealth": _state(task),
    }


def _state(task: Task) -> dict[str, str]:
    if task.status == "DEACTIVATING":
        return {
            "State": "draining",
            "Reason": "Target.DeregistrationInProgress",
            "Description": "Target deregistration is in progress",
        }
    if task.target_healthy:
        return {"State": "healthy"}
    if task.status == "RUNNING" and any(one.behaviour.unhealthy == "elb" for one in task.containers):
        return {"State": "unhealthy", "Reason": "Target.ResponseCodeMismatch", "Description": MISMATCH}
    return {
        "State": "initial",
        "Reason": "Elb.InitialHealthChecking",
        "Description": "Initial health checks in progress",
    }
