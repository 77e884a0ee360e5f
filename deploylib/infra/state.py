"""Where the Terraform state stands, read from its bucket: no Terraform is started for that."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib.errors import AwsError
from deploylib.infra import backend
from deploylib.infra.diagnostics import Lock

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

    from deploylib.config import Environment

ABSENT = frozenset({"NoSuchKey", "NoSuchBucket", "404"})
LOCK = ".tflock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Which state this is: its *lineage*, and its *serial*, which each write raises. Before the first: 0 and nothing.

    `written` is when S3 got it (ISO 8601).
    """

    serial: int = 0
    lineage: str = ""
    written: str = ""


def position(s3: S3Client, environment: Environment) -> Position:
    """Return where *environment*'s state stands now."""
    found = _read(s3, environment, "")
    if found is None:
        return Position()
    return Position(serial=int(found.get("serial", 0)), lineage=str(found.get("lineage", "")), written=found["written"])


def lock(s3: S3Client, environment: Environment) -> Lock | None:
    """Return who holds the state's lock, if anybody does."""
    found = _read(s3, environment, LOCK)
    if found is None:
        return None
    return Lock(
        id=str(found.get("ID", "")),
        who=str(found.get("Who", "somebody")),
        created=str(found.get("Created", found["written"])),
        operation=str(found.get("Operation", "")).removeprefix("OperationType").lower() or "unknown",
    )


def _read(s3: S3Client, environment: Environment, suffix: str) -> dict[str, Any] | None:
    """Return the JSON object beside the state, with when it was `written`."""
    key = backend.settings(environment)["key"] + suffix
    try:
        found = s3.get_object(Bucket=environment.state_bucket, Key=key)
    except AwsError as error:
        if error.code in ABSENT:
            return None
        raise
    return {**json.loads(found["Body"].read()), "written": found["LastModified"].isoformat(timespec="seconds")}
