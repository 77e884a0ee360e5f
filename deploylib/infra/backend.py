"""The S3 bucket of the Terraform state: made and completed by boto3, so that Terraform needs no state for its state.

What a bucket already has is never replaced: an existing bucket may belong to more than this project. The lock is an
object beside the state (`use_lockfile`); in a versioned bucket each lock leaves a version and a delete marker behind,
which is what the lifecycle rule is for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib.errors import AwsError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3.client import S3Client
    from types_boto3_s3.literals import BucketLocationConstraintType

    from deploylib.config import Environment

STATE = "terraform.tfstate"
OLD_STATES_DAYS = 365
WITHOUT_CONSTRAINT = "us-east-1"
DENIED = ("AccessDenied", "403", "Forbidden")
ABSENT = (
    "404",
    "NoSuchBucket",
    "NoSuchBucketPolicy",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "ServerSideEncryptionConfigurationNotFoundError",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that must be so, as a sentence without its subject, and whether it had to be *done* now."""

    what: str
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One property that the bucket must have: whether it is there, and how to set it."""

    name: str
    is_set: Callable[[S3Client, str], Any]
    set: Callable[[S3Client, str], Any]


def settings(environment: Environment) -> dict[str, Any]:
    """Return the backend's whole configuration; the stack says no more than `backend "s3" {}`.

    `use_path_style` is right for AWS too, and for an endpoint that has no host name per bucket.
    """
    return {
        "bucket": environment.state_bucket,
        "key": f"{environment.app.name}/{environment.name}/{STATE}",
        "region": environment.account.region,
        "allowed_account_ids": [environment.account.id],
        "encrypt": True,
        "use_lockfile": True,
        "use_path_style": True,
    }


def render(values: dict[str, Any]) -> str:
    """Return *values* as a `-backend-config` file: each is written in HCL as it is in JSON."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


def exists(s3: S3Client, environment: Environment) -> bool:
    """Return whether the bucket is there. Raises `RefusedError` when it is somebody else's."""
    bucket = environment.state_bucket
    try:
        found = s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=environment.account.id)
    except AwsError as error:
        if error.code in ABSENT:
            return False
        if error.code in DENIED:
            raise RefusedError(
                f"{environment.name}: the state bucket {bucket} is not of account {environment.account.id}, "
                "or this role may not see it",
                hint=f"set account.state_bucket in environments/{environment.name}.toml, or ask for s3:ListBucket",
            ) from error
        raise
    _check_region(found.get("BucketRegion", ""), environment)
    return True


def _check_region(found: str, environment: Environment) -> None:
    """Terraform's backend would not find a bucket of another region."""
    if found not in ("", environment.account.region):
        raise RefusedError(
            f"{environment.name}: the state bucket {environment.state_bucket} is in {found}, "
            f"not in {environment.account.region}",
            hint=f"set account.state_bucket in environments/{environment.name}.toml to another name",
        )


def bootstrap(s3: S3Client, environment: Environment) -> tuple[Step, ...]:
    """Make the bucket, or give it what it lacks; return all that it has now. The caller has asked the account guard.

    A second run only reads. What an existing bucket has stays as it is.
    """
    bucket = environment.state_bucket
    is_new = not exists(s3, environment)
    if is_new:
        _create(s3, bucket, environment.account.region)
    return (Step(what="is there", done=is_new), *(_complete(setting, s3, bucket) for setting in SETTINGS))


def _complete(setting: Setting, s3: S3Client, bucket: str) -> Step:
    lacks = not _is_set(setting, s3, bucket)
    if lacks:
        setting.set(s3, bucket)
    return Step(what=setting.name, done=lacks)


def _create(s3: S3Client, bucket: str, region: str) -> None:
    if region == WITHOUT_CONSTRAINT:
        s3.create_bucket(Bucket=bucket)
    else:
        location: BucketLocationConstraintType = region  # type: ignore[assignment]  # AWS knows the regions
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": location})


def _is_set(setting: Setting, s3: S3Client, bucket: str) -> bool:
    """Whoever may use the bucket but not look at its settings did not make it, and will not mend it."""
    try:
        return bool(setting.is_set(s3, bucket))
    except AwsError as error:
        if error.code in (*ABSENT, *DENIED):
            return error.code in DENIED
        raise


def _policy(bucket: str, partition: str) -> str:
    resources = [f"arn:{partition}:s3:::{bucket}", f"arn:{partition}:s3:::{bucket}/*"]
    statement = {
        "Sid": "OnlyTLS",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": resources,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


SETTINGS = (
    Setting(
        name="keeps versions",
        is_set=lambda s3, bucket: s3.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled",
        set=lambda s3, bucket: s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}),
    ),
    Setting(
        name="is encrypted",
        is_set=lambda s3, bucket: s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"],
        set=lambda s3, bucket: s3.put_bucket_encryption(
            Bucket=bucket,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
        ),
    ),
    Setting(
        name="blocks public access",
        is_set=lambda s3, bucket: s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
        set=lambda s3, bucket: s3.put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        ),
    ),
    Setting(
        name="takes only TLS",
        is_set=lambda s3, bucket: s3.get_bucket_policy(Bucket=bucket)["Policy"],
        set=lambda s3, bucket: s3.put_bucket_policy(Bucket=bucket, Policy=_policy(bucket, s3.meta.partition)),
    ),
    Setting(
        name=f"forgets old states after {OLD_STATES_DAYS} days",
        is_set=lambda s3, bucket: s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"],
        set=lambda s3, bucket: s3.put_bucket_lifecycle_configuration(
            Bucket=bucket,
            LifecycleConfiguration={
                "Rules": [
                    {
                        "ID": "old-states-and-locks",
                        "Status": "Enabled",
                        "Filter": {"Prefix": ""},
                        "NoncurrentVersionExpiration": {"NoncurrentDays": OLD_STATES_DAYS},
                        "Expiration": {"ExpiredObjectDeleteMarker": True},
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                    }
                ]
            },
        ),
    ),
)
