from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from deploylib import aws
from deploylib.config import Account, App, Environment, Images, RoleImage
from deploylib.errors import AwsError, RefusedError
from deploylib.infra import backend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_s3.client import S3Client

STG = Environment(
    name="stg",
    root=Path("/project"),
    app=App(name="shop", path="app"),
    account=Account(id="123456789012", region="ap-northeast-1"),
    images=Images(roles={"web": RoleImage(dockerfile="Dockerfile")}),
)
BUCKET = "shop-terraform-123456789012"
READS = ("HeadBucket", "GetBucket", "GetPublicAccessBlock")


@pytest.fixture
def account() -> Iterator[aws.Account]:
    with mock_aws():
        yield aws.signed_in(STG)


@pytest.fixture
def s3(account: aws.Account) -> S3Client:
    return account.s3


def test_the_backend_file_says_where_the_state_is_and_who_may_touch_it() -> None:
    assert backend.render(backend.settings(STG)).splitlines() == [
        f'bucket = "{BUCKET}"',
        'key = "shop/stg/terraform.tfstate"',
        'region = "ap-northeast-1"',
        'allowed_account_ids = ["123456789012"]',
        "encrypt = true",
        "use_lockfile = true",
        "use_path_style = true",
    ]


def test_the_first_bootstrap_makes_a_bucket_with_everything(s3: S3Client) -> None:
    done = backend.bootstrap(s3, STG)
    assert done[0] == backend.Step(what="is there", done=True)
    assert all(one.done for one in done)
    assert len(done) == 1 + len(backend.SETTINGS)
    assert s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] == "ap-northeast-1"
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]


def test_the_bucket_takes_only_tls(s3: S3Client) -> None:
    backend.bootstrap(s3, STG)
    (statement,) = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]


def test_the_bucket_forgets_old_versions_and_what_locks_leave_behind(s3: S3Client) -> None:
    backend.bootstrap(s3, STG)
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 365}
    assert rule["Expiration"] == {"ExpiredObjectDeleteMarker": True}


def test_a_second_bootstrap_only_reads(account: aws.Account) -> None:
    backend.bootstrap(account.s3, STG)
    account.calls.clear()
    assert not any(one.done for one in backend.bootstrap(account.s3, STG))
    assert [call for call in account.calls if not call.removeprefix("s3:").startswith(READS)] == []


def test_a_bootstrap_that_was_interrupted_is_completed(s3: S3Client) -> None:
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
    done = {one.what: one.done for one in backend.bootstrap(s3, STG)}
    assert (done["is there"], done["keeps versions"]) == (False, True)
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"


def test_what_an_existing_bucket_has_is_never_replaced(s3: S3Client) -> None:
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
    own = json.dumps({"Version": "2012-10-17", "Statement": []})
    s3.put_bucket_policy(Bucket=BUCKET, Policy=own)
    backend.bootstrap(s3, STG)
    assert s3.get_bucket_policy(Bucket=BUCKET)["Policy"] == own


def test_a_bucket_in_us_east_1_is_made_without_a_location() -> None:
    virginia = replace(STG, account=replace(STG.account, region="us-east-1"))
    with mock_aws():
        s3 = aws.signed_in(virginia).s3
        backend.bootstrap(s3, virginia)
        assert s3.get_bucket_location(Bucket=BUCKET).get("LocationConstraint") is None


def test_the_bucket_of_the_environment_file_is_used_when_it_names_one(s3: S3Client) -> None:
    named = replace(STG, account=replace(STG.account, state_bucket="company-states"))
    assert backend.bootstrap(s3, named)[0] == backend.Step(what="is there", done=True)


@pytest.mark.parametrize(("code", "exists"), [("404", False), ("NoSuchBucket", False)])
def test_a_bucket_that_is_not_there_does_not_exist(s3: S3Client, code: str, *, exists: bool) -> None:
    _refuse(s3, "HeadBucket", code)
    assert backend.exists(s3, STG) is exists


def test_a_bucket_of_another_account_is_refused(s3: S3Client) -> None:
    _refuse(s3, "HeadBucket", "403")
    with pytest.raises(RefusedError, match="is not of account 123456789012") as caught:
        backend.exists(s3, STG)
    assert "account.state_bucket" in caught.value.hint


def test_settings_that_a_role_may_not_see_are_left_alone(account: aws.Account) -> None:
    backend.bootstrap(account.s3, STG)
    _refuse(account.s3, "GetBucketPolicy", "AccessDenied")
    account.calls.clear()
    assert not any(one.done for one in backend.bootstrap(account.s3, STG))
    assert "s3:PutBucketPolicy" not in account.calls


def test_any_other_refusal_is_raised(s3: S3Client) -> None:
    backend.bootstrap(s3, STG)
    _refuse(s3, "GetBucketVersioning", "SlowDown")
    with pytest.raises(AwsError, match="SlowDown"):
        backend.bootstrap(s3, STG)


def _refuse(s3: S3Client, operation: str, code: str) -> None:
    """Let the next *operation* be refused: by botocore's own events, before anything is sent."""

    def refused(**_: object) -> None:
        raise AwsError(f"s3 refused {operation}: {code}", code=code)

    s3.meta.events.register_first(f"before-call.s3.{operation}", refused)


def test_two_environments_of_an_account_share_the_bucket_and_not_the_state(s3: S3Client) -> None:
    prd = replace(STG, name="prd")
    backend.bootstrap(s3, STG)
    assert not any(one.done for one in backend.bootstrap(s3, prd))
    assert backend.settings(STG)["bucket"] == backend.settings(prd)["bucket"]
    assert backend.settings(STG)["key"] != backend.settings(prd)["key"]


def test_a_bucket_of_another_region_is_refused(s3: S3Client) -> None:
    backend.bootstrap(s3, STG)
    elsewhere = replace(STG, account=replace(STG.account, region="eu-west-1"))
    with pytest.raises(RefusedError, match="is in ap-northeast-1, not in eu-west-1") as caught:
        backend.exists(s3, elsewhere)
    assert "account.state_bucket" in caught.value.hint
