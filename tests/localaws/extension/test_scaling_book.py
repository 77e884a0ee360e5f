from __future__ import annotations

import json
from typing import Any

import pytest

from deploylib.localaws.extension.scaling_book import Book, answered

SERVICE = {"ServiceNamespace": "ecs", "ResourceId": "service/c/web", "ScalableDimension": "ecs:service:DesiredCount"}
POLICY = {**SERVICE, "PolicyName": "cpu", "PolicyType": "TargetTrackingScaling"}


@pytest.fixture
def book() -> Book:
    return Book("ap-northeast-1:111111111111")


def ask(book: Book, action: str, **asked: Any) -> tuple[int, dict[str, Any]]:
    status, _, body = answered(book, action, asked)
    return status, json.loads(body)


def test_a_target_is_told_back_as_it_was_registered_last(book: Book) -> None:
    _, first = ask(book, "RegisterScalableTarget", **SERVICE, MinCapacity=2, MaxCapacity=4)
    _, second = ask(book, "RegisterScalableTarget", **SERVICE, MinCapacity=2, MaxCapacity=8)
    _, found = ask(book, "DescribeScalableTargets", ServiceNamespace="ecs", ResourceIds=["service/c/web"])
    (target,) = found["ScalableTargets"]
    assert first == second == {"ScalableTargetARN": target["ScalableTargetARN"]}
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 8)


def test_filters_leave_out_what_was_not_asked_for(book: Book) -> None:
    ask(book, "RegisterScalableTarget", **SERVICE, MinCapacity=1, MaxCapacity=2)
    ask(book, "PutScalingPolicy", **POLICY)
    _, others = ask(book, "DescribeScalingPolicies", ServiceNamespace="ecs", PolicyNames=["memory"])
    _, ours = ask(book, "DescribeScalingPolicies", ServiceNamespace="ecs", PolicyNames=["cpu"])
    assert others["ScalingPolicies"] == []
    assert [one["PolicyName"] for one in ours["ScalingPolicies"]] == ["cpu"]


def test_policies_go_with_their_target(book: Book) -> None:
    ask(book, "RegisterScalableTarget", **SERVICE, MinCapacity=1, MaxCapacity=2)
    ask(book, "PutScalingPolicy", **POLICY)
    assert ask(book, "DeregisterScalableTarget", **SERVICE) == (200, {})
    _, found = ask(book, "DescribeScalingPolicies", ServiceNamespace="ecs")
    assert found == {"ScalingPolicies": []}


def test_tags_are_kept_changed_and_removed(book: Book) -> None:
    _, made = ask(book, "RegisterScalableTarget", **SERVICE, MinCapacity=1, MaxCapacity=2, Tags={"app": "shop"})
    arn = made["ScalableTargetARN"]
    ask(book, "TagResource", ResourceARN=arn, Tags={"team": "web"})
    ask(book, "UntagResource", ResourceARN=arn, TagKeys=["app"])
    assert ask(book, "ListTagsForResource", ResourceARN=arn) == (200, {"Tags": {"team": "web"}})


@pytest.mark.parametrize("action", ["DeregisterScalableTarget", "PutScalingPolicy", "DeleteScalingPolicy"])
def test_what_is_not_there_is_not_found(book: Book, action: str) -> None:
    status, said = ask(book, action, **POLICY)
    assert (status, said["__type"]) == (400, "ObjectNotFoundException")


def test_an_action_that_is_not_known_is_said_to_be(book: Book) -> None:
    status, said = ask(book, "PutScheduledAction", **SERVICE)
    assert (status, said["__type"]) == (400, "UnknownOperationException")
