from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from deploylib.localaws.extension.calls import CallLog, action_of, is_write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("service", "action", "expected"),
    [
        ("ecs", "DescribeServices", False),
        ("ecs", "ListTasks", False),
        ("ecs", "UpdateService", True),
        ("ecs", "RegisterTaskDefinition", True),
        ("ecs", "RunTask", True),
        ("ecr", "BatchGetImage", False),
        ("ecr", "BatchCheckLayerAvailability", False),
        ("ecr", "GetAuthorizationToken", False),
        ("ecr", "PutImage", True),
        ("ecr", "BatchDeleteImage", True),
        ("logs", "FilterLogEvents", False),
        ("logs", "CreateLogGroup", True),
        ("ssm", "GetParametersByPath", False),
        ("ssm", "PutParameter", True),
        ("dynamodb", "Query", False),
        ("dynamodb", "UpdateItem", True),
        ("sts", "AssumeRole", False),
        ("kms", "Decrypt", False),
        ("s3", "GetObject", False),
        ("s3", "PutObject", True),
        ("s3", "GET ?versioning", False),
        ("s3", "PUT ?versioning", True),
        ("apigateway", "GET /restapis", False),
        ("apigateway", "POST /restapis", True),
    ],
)
def test_a_call_is_a_write_when_it_changes_something(service: str, action: str, *, expected: bool) -> None:
    assert is_write(service, action) is expected


def test_an_action_is_named_by_its_target_its_parameter_or_its_path() -> None:
    target = {"x-amz-target": "AmazonEC2ContainerServiceV20141113.UpdateService"}
    assert action_of("ecs", "POST", "/", target, {}) == "UpdateService"
    assert action_of("elbv2", "POST", "/", {}, {"Action": ["DescribeRules"]}) == "DescribeRules"
    assert action_of("lambda", "GET", "/2015-03-31/functions", {}, {}) == "GET /2015-03-31/functions"


@pytest.mark.parametrize(
    ("method", "path", "parameters", "expected"),
    [
        ("GET", "/", {}, "ListBuckets"),
        ("GET", "/bucket", {"list-type": ["2"]}, "ListObjects"),
        ("PUT", "/bucket/a/b.tfstate", {}, "PutObject"),
        ("PUT", "/bucket", {"versioning": [""]}, "PUT ?versioning"),
        ("POST", "/bucket", {"delete": [""]}, "POST ?delete"),
    ],
)
def test_an_s3_call_is_named_by_method_depth_and_subresource(
    method: str, path: str, parameters: dict[str, list[str]], expected: str
) -> None:
    assert action_of("s3", method, path, {}, parameters) == expected


def test_each_call_is_one_json_line_with_its_kind(tmp_path: Path) -> None:
    log = CallLog(tmp_path / "calls.jsonl")
    log.api(service="ecs", action="RunTask", status=200, account="111122223333", agent="Boto3/1", started=0)
    log.registry(method="PUT", path="/v2/app/manifests/v1", status=201, account="111122223333", started=0)
    lines = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    told = [(line["kind"], line["service"], line["action"], line["status"], line["write"]) for line in lines]
    assert told == [
        ("api", "ecs", "RunTask", 200, True),
        ("registry", "registry", "PUT /v2/app/manifests/v1", 201, True),
    ]
    assert lines[0]["time"] == "1970-01-01T00:00:00.000+00:00"
    assert lines[0]["account"] == "111122223333"


def test_a_registry_line_tells_how_many_bytes_went_each_way(tmp_path: Path) -> None:
    log = CallLog(tmp_path / "calls.jsonl")
    log.registry(method="GET", path="/v2/app/blobs/1", status=200, account="1", started=0, received=3, sent=70_000)
    line = json.loads((tmp_path / "calls.jsonl").read_text())
    assert (line["received"], line["sent"]) == (3, 70_000)


def test_a_log_is_continued_and_one_without_a_file_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    for _ in range(2):
        CallLog(path).registry(method="GET", path="/v2/", status=200, account="1", started=0)
    CallLog(None).registry(method="GET", path="/v2/", status=200, account="1", started=0)
    assert len(path.read_text().splitlines()) == 2
