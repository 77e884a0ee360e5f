from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from deploylib import aws
from deploylib.errors import AwsError
from deploylib.infra import state
from deploylib.infra.state import Position
from tests.infra.test_backend import BUCKET, STG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_s3.client import S3Client

KEY = "shop/stg/terraform.tfstate"
LOCK = {
    "ID": "6f9eca37",
    "Operation": "OperationTypeApply",
    "Info": "",
    "Who": "ann@laptop",
    "Version": "1.11.4",
    "Created": "2026-01-31T10:00:00Z",
    "Path": f"{BUCKET}/{KEY}",
}


@pytest.fixture
def s3() -> Iterator[S3Client]:
    with mock_aws():
        found = aws.signed_in(STG).s3
        found.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
        yield found


def test_before_the_first_apply_there_is_no_state_and_no_lock(s3: S3Client) -> None:
    assert state.position(s3, STG) == Position()
    assert state.lock(s3, STG) is None
    s3.delete_bucket(Bucket=BUCKET)
    assert state.position(s3, STG) == Position()


def test_a_state_has_a_serial_a_lineage_and_a_time(s3: S3Client) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=json.dumps({"serial": 7, "lineage": "l", "outputs": {"x": "secret"}}))
    found = state.position(s3, STG)
    assert (found.serial, found.lineage) == (7, "l")
    assert found.written
    assert "secret" not in repr(found)


def test_who_holds_the_lock_is_known_and_since_when(s3: S3Client) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"{KEY}.tflock", Body=json.dumps(LOCK))
    found = state.lock(s3, STG)
    assert found
    assert (found.id, found.who, found.created) == ("6f9eca37", "ann@laptop", "2026-01-31T10:00:00Z")
    assert found.operation == "apply"


def test_a_bucket_that_may_not_be_read_is_an_error(s3: S3Client) -> None:
    def refuse(**_: object) -> None:
        raise AwsError("no", code="AccessDenied")

    s3.meta.events.register("before-call.s3.GetObject", refuse)
    with pytest.raises(AwsError):
        state.position(s3, STG)
