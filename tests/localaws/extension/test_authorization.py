"""What AWS asks IAM about a call: actions, resources and keys, after the Service Authorization Reference."""

from __future__ import annotations

from typing import Any

import pytest

from deploylib.localaws.extension import authorization
from deploylib.localaws.extension.authorization import Check, Where

HERE = Where(account="111122223333", region="eu-central-1")
CLUSTER = {"ecs:cluster": "arn:aws:ecs:eu-central-1:111122223333:cluster/shop"}
DEPLOYMENT = "arn:aws:ecs:eu-central-1:111122223333:service-deployment/shop/web/"
ROLE = "arn:aws:iam::111122223333:role/shop-task"


def asked(service: str, operation: str, request: dict[str, Any]) -> list[tuple[str, str]]:
    found = authorization.checks(service, operation, request, HERE)
    assert found is not None
    return [
        (one.action, one.resource.removeprefix("arn:aws:").replace(":eu-central-1:111122223333:", "…")) for one in found
    ]


@pytest.mark.parametrize(
    ("service", "operation", "request_", "expected"),
    [
        (
            "ecs",
            "DescribeServices",
            {"cluster": "shop", "services": ["web", "arn:aws:ecs:eu-central-1:111122223333:service/shop/job"]},
            [("ecs:DescribeServices", "ecs…service/shop/web"), ("ecs:DescribeServices", "ecs…service/shop/job")],
        ),
        (
            "ecs",
            "UpdateService",
            {"cluster": "shop", "service": "web"},
            [("ecs:UpdateService", "ecs…service/shop/web")],
        ),
        ("ecs", "ListTasks", {"cluster": "shop"}, [("ecs:ListTasks", "ecs…container-instance/shop/*")]),
        ("ecs", "StopTask", {"cluster": "shop", "task": "abc"}, [("ecs:StopTask", "ecs…task/shop/abc")]),
        ("ecs", "RunTask", {"taskDefinition": "shop-web:3"}, [("ecs:RunTask", "ecs…task-definition/shop-web:3")]),
        ("ecs", "DescribeTaskDefinition", {"taskDefinition": "shop-web:3"}, [("ecs:DescribeTaskDefinition", "*")]),
        (
            "ecs",
            "RegisterTaskDefinition",
            {"family": "shop-web", "tags": [{"key": "a"}], "taskRoleArn": ROLE},
            [
                ("ecs:RegisterTaskDefinition", "*"),
                ("ecs:TagResource", "ecs…task-definition/shop-web:*"),
                ("iam:PassRole", "iam::111122223333:role/shop-task"),
            ],
        ),
        ("ecr", "GetAuthorizationToken", {}, [("ecr:GetAuthorizationToken", "*")]),
        ("ecr", "PutImage", {"repositoryName": "shop"}, [("ecr:PutImage", "ecr…repository/shop")]),
        (
            "ssm",
            "GetParameters",
            {"Names": ["/a/b", "c"]},
            [("ssm:GetParameters", "ssm…parameter/a/b"), ("ssm:GetParameters", "ssm…parameter/c")],
        ),
        ("ssm", "DescribeParameters", {}, [("ssm:DescribeParameters", "*")]),
        (
            "logs",
            "GetLogEvents",
            {"logGroupName": "/a", "logStreamName": "b"},
            [("logs:GetLogEvents", "logs…log-group:/a:log-stream:b")],
        ),
        ("dynamodb", "Query", {"TableName": "releases"}, [("dynamodb:Query", "dynamodb…table/releases")]),
        (
            "ecs",
            "ListServiceDeployments",
            {"cluster": "shop", "service": "web"},
            [("ecs:ListServiceDeployments", "ecs…service/shop/web")],
        ),
        (
            "ecs",
            "DescribeServiceDeployments",
            {"serviceDeploymentArns": [f"{DEPLOYMENT}1", f"{DEPLOYMENT}2"]},
            [
                ("ecs:DescribeServiceDeployments", "ecs…service-deployment/shop/web/1"),
                ("ecs:DescribeServiceDeployments", "ecs…service-deployment/shop/web/2"),
            ],
        ),
        (
            "ecs",
            "StopServiceDeployment",
            {"serviceDeploymentArn": f"{DEPLOYMENT}1"},
            [("ecs:StopServiceDeployment", "ecs…service-deployment/shop/web/1")],
        ),
        ("scheduler", "GetSchedule", {"Name": "tidy"}, [("scheduler:GetSchedule", "scheduler…schedule/default/tidy")]),
        (
            "scheduler",
            "UpdateSchedule",
            {"Name": "tidy", "GroupName": "shop", "Target": {"RoleArn": ROLE}},
            [
                ("scheduler:UpdateSchedule", "scheduler…schedule/shop/tidy"),
                ("iam:PassRole", "iam::111122223333:role/shop-task"),
            ],
        ),
    ],
)
def test_each_call_asks_for_its_own_resources(
    service: str, operation: str, request_: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert asked(service, operation, request_) == expected


def test_the_keys_of_conditions_are_told() -> None:
    (listing,) = authorization.checks("ecs", "ListTasks", {"cluster": "shop"}, HERE) or ()
    assert listing.keys == CLUSTER
    registering = {"family": "shop-web", "tags": [{}], "executionRoleArn": ROLE}
    _, tagging, passing = authorization.checks("ecs", "RegisterTaskDefinition", registering, HERE) or ()
    assert tagging.keys == {"ecs:CreateAction": "RegisterTaskDefinition"}
    assert passing.keys == {"iam:PassedToService": "ecs-tasks.amazonaws.com"}


def test_who_writes_a_schedule_hands_its_role_to_the_scheduler() -> None:
    _, passing = authorization.checks("scheduler", "UpdateSchedule", {"Target": {"RoleArn": ROLE}}, HERE) or ()
    assert passing.keys == {"iam:PassedToService": "scheduler.amazonaws.com"}


def test_a_service_that_is_not_here_is_somebody_else_s_to_know() -> None:
    assert authorization.checks("rds", "DescribeDBInstances", {}, HERE) is None


def test_requests_to_the_registry_ask_for_their_actions() -> None:
    resource = "arn:aws:ecr:eu-central-1:111122223333:repository/shop"
    assert authorization.registry("PUT", "manifest", "shop", HERE) == (Check(action="ecr:PutImage", resource=resource),)
    assert authorization.registry("GET", "ping", "", HERE) == ()
