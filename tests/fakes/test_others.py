"""The smaller fakes: clock, logs, parameters, registry, caller."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploylib.errors import AwsError
from tests.fakes.account import FakeAccount
from tests.fakes.clock import FakeClock, interrupt
from tests.fakes.ssm import FakeSsm


def test_sleeping_reaches_what_was_arranged_in_order() -> None:
    clock, seen = FakeClock(), []
    clock.after(2, lambda: seen.append(("second", clock.monotonic())))
    clock.after(1, lambda: seen.append(("first", clock.monotonic())))
    clock.after(9, lambda: seen.append(("later", clock.monotonic())))
    clock.sleep(3)
    assert seen == [("first", 1.0), ("second", 2.0)]
    assert (clock.monotonic(), clock.naps) == (3.0, [3])


def test_an_interrupt_comes_out_of_the_sleep_that_reaches_it() -> None:
    clock = FakeClock()
    clock.after(5, interrupt)
    with pytest.raises(KeyboardInterrupt):
        clock.sleep(60)
    assert clock.monotonic() == 5
    clock.sleep(1)
    assert clock.monotonic() == 6


def test_a_wait_without_end_is_found_out() -> None:
    clock = FakeClock()
    with pytest.raises(AssertionError, match="a week"):
        clock.sleep(8 * 24 * 3600)


def test_log_lines_arrive_late_and_the_last_token_comes_back() -> None:
    aws = FakeAccount()
    aws.logs.groups.add("group")
    aws.logs.create("group", "stream")
    aws.logs.print("group", "stream", "one")
    stream = {"logGroupName": "group", "logStreamName": "stream"}
    first = aws.logs.get_log_events(**stream, startFromHead=True)
    assert first["events"] == []
    aws.clock.advance(1)
    second = aws.logs.get_log_events(**stream, nextToken=first["nextForwardToken"], startFromHead=True)
    assert [event["message"] for event in second["events"]] == ["one"]
    third = aws.logs.get_log_events(**stream, nextToken=second["nextForwardToken"], startFromHead=True)
    assert (third["events"], third["nextForwardToken"]) == ([], second["nextForwardToken"])


def test_logs_come_in_pages_from_the_end_or_from_the_head() -> None:
    aws = FakeAccount()
    aws.logs.groups.add("group")
    aws.logs.create("group", "stream")
    for number in range(5):
        aws.logs.print("group", "stream", str(number))
    aws.clock.advance(1)
    stream = {"logGroupName": "group", "logStreamName": "stream", "limit": 2}
    assert [event["message"] for event in aws.logs.get_log_events(**stream)["events"]] == ["3", "4"]
    answer = aws.logs.get_log_events(**stream, startFromHead=True)
    lines = [event["message"] for event in answer["events"]]
    while answer["events"]:
        answer = aws.logs.get_log_events(**stream, nextToken=answer["nextForwardToken"], startFromHead=True)
        lines += [event["message"] for event in answer["events"]]
    assert lines == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("group", ["group", "no-such-group"])
def test_a_stream_that_is_not_there_is_refused(group: str) -> None:
    aws = FakeAccount()
    aws.logs.groups.add("group")
    with pytest.raises(AwsError) as refused:
        aws.logs.get_log_events(logGroupName=group, logStreamName="stream")
    assert refused.value.code == "ResourceNotFoundException"


def test_a_group_that_is_not_there_swallows_what_is_printed() -> None:
    aws = FakeAccount()
    aws.logs.create("group", "stream")
    aws.logs.print("group", "stream", "lost")
    aws.logs.groups.add("group")
    with pytest.raises(AwsError):
        aws.logs.get_log_events(logGroupName="group", logStreamName="stream")


def test_parameters_have_versions_and_secrets_are_hidden() -> None:
    aws = FakeAccount()
    with pytest.raises(AwsError) as refused:
        aws.ssm.get_parameter(Name="/a")
    assert refused.value.code == "ParameterNotFound"
    aws.ssm.put_parameter(Name="/a", Value="1", Type="SecureString")
    with pytest.raises(AwsError) as refused:
        aws.ssm.put_parameter(Name="/a", Value="2", Type="SecureString")
    assert refused.value.code == "ParameterAlreadyExists"
    assert aws.ssm.put_parameter(Name="/a", Value="2", Overwrite=True)["Version"] == 2
    assert aws.ssm.get_parameter(Name="/a")["Parameter"]["Value"] not in ("1", "2")
    assert aws.ssm.get_parameter(Name="/a", WithDecryption=True)["Parameter"]["Value"] == "2"
    assert aws.ssm.get_parameter(Name="/a:1", WithDecryption=True)["Parameter"]["Value"] == "1"
    assert aws.ssm.get_parameters(Names=["/a", "/b"])["InvalidParameters"] == ["/b"]


def test_the_registry_tells_what_it_has_and_what_it_lacks() -> None:
    aws = FakeAccount()
    digest = aws.ecr.have("app", "web-1", manifest='{"schemaVersion": 2}')
    answer = aws.ecr.batch_get_image(repositoryName="app", imageIds=[{"imageTag": "web-1"}, {"imageTag": "web-2"}])
    assert [image["imageId"] for image in answer["images"]] == [{"imageTag": "web-1", "imageDigest": digest}]
    assert answer["failures"][0]["failureCode"] == "ImageNotFound"
    with pytest.raises(AwsError) as refused:
        aws.ecr.batch_get_image(repositoryName="other", imageIds=[{"imageTag": "web-1"}])
    assert refused.value.code == "RepositoryNotFoundException"


def test_tags_are_immutable_but_an_image_may_get_another_one() -> None:
    aws = FakeAccount()
    manifest = json.dumps({"schemaVersion": 2})
    digest = aws.ecr.have("app", "web-1", manifest=manifest)
    assert aws.ecr.put_image(repositoryName="app", imageManifest=manifest, imageTag="web-2")["image"]["imageId"] == {
        "imageTag": "web-2",
        "imageDigest": digest,
    }
    refusals = [("web-1", manifest, "ImageAlreadyExistsException"), ("web-1", "{}", "ImageTagAlreadyExistsException")]
    for tag, other, code in refusals:
        with pytest.raises(AwsError) as refused:
            aws.ecr.put_image(repositoryName="app", imageManifest=other, imageTag=tag)
        assert refused.value.code == code
    assert aws.ecr.tags["app"] == {"web-1": digest, "web-2": digest}


def test_calls_of_all_clients_are_counted_and_logged_together() -> None:
    aws = FakeAccount(account_id="222222222222")
    assert aws.sts.get_caller_identity()["Account"] == "222222222222"
    aws.ssm.put_parameter(Name="/a", Value="1", Type="String")
    assert aws.calls == {"sts:GetCallerIdentity": 1, "ssm:PutParameter": 1}
    assert aws.wrote == ("put_parameter",)
    aws.forget_calls()
    assert (aws.calls, aws.log) == ({}, [])


def test_an_answer_that_aws_could_not_give_is_found_out() -> None:
    class Wrong(FakeSsm):
        def _describe(self, name: str, version: int, *, decrypt: bool) -> dict[str, Any]:
            return {"Nmae": name}

    fake = Wrong(FakeClock())
    fake.give("/a", "1")
    with pytest.raises(AssertionError, match="Nmae"):
        fake.get_parameter(Name="/a")


def test_a_refusal_of_an_operation_that_does_not_exist_is_found_out() -> None:
    with pytest.raises(AssertionError, match="ssm has no operation get_paramter"):
        FakeAccount().ssm.refuse("get_paramter", "X")
