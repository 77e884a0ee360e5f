"""The call log: one JSON line for each AWS API call and each registry request, so that tests can count them."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Prefixes and names of actions that change nothing.
READ_PREFIXES = (
    *("BatchCheck", "BatchDescribe", "BatchGet", "Check", "Describe", "Discover", "Estimate", "Filter", "Get"),
    *("Head", "List", "Lookup", "Preview", "Query", "Scan", "Search", "Select", "Simulate", "StartQuery", "Test"),
    *("TransactGet", "Validate", "View"),
)
READ_ACTIONS = frozenset({"Decrypt", "Encrypt", "GenerateDataKey", "Sign", "Verify", "StartLiveTail", "StopQuery"})
READ_SERVICES = frozenset({"sts"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

S3_OBJECT = 2
S3_SUBRESOURCES = {
    *("accelerate", "acl", "cors", "delete", "encryption", "lifecycle", "location", "logging", "notification"),
    *("object-lock", "ownershipControls", "policy", "publicAccessBlock", "replication", "requestPayment", "tagging"),
    *("uploadId", "uploads", "versioning", "versions", "website"),
}
S3_ACTIONS = {
    ("GET", 0): "ListBuckets",
    ("PUT", 1): "CreateBucket",
    ("DELETE", 1): "DeleteBucket",
    ("HEAD", 1): "HeadBucket",
    ("GET", 1): "ListObjects",
    ("PUT", S3_OBJECT): "PutObject",
    ("GET", S3_OBJECT): "GetObject",
    ("DELETE", S3_OBJECT): "DeleteObject",
    ("HEAD", S3_OBJECT): "HeadObject",
}

SCHEDULE_ACTIONS = {"GET": "GetSchedule", "PUT": "UpdateSchedule", "POST": "CreateSchedule", "DELETE": "DeleteSchedule"}


def is_write(service: str, action: str) -> bool:
    """Say whether an *action* such as `UpdateService` or `PUT bucket?policy` changes anything."""
    if service in READ_SERVICES or action in READ_ACTIONS:
        return False
    method, _, rest = action.partition(" ")
    if rest:
        return method not in SAFE_METHODS
    return not action.startswith(READ_PREFIXES)


def action_of(service: str, method: str, path: str, headers: Mapping[str, str], parameters: Mapping[str, Any]) -> str:
    """Return the name of the API call: from the target header, the `Action` parameter, or the method and path."""
    if target := headers.get("x-amz-target", ""):
        return target.rpartition(".")[2]
    if action := parameters.get("Action"):
        return str(action[0] if isinstance(action, list) else action)
    if service == "scheduler" and path.startswith("/schedules/"):
        return SCHEDULE_ACTIONS.get(method, f"{method} {path}")
    return s3_action(method, path, parameters) if service == "s3" else f"{method} {path}"


def s3_action(method: str, path: str, parameters: Mapping[str, Any]) -> str:
    """Return an S3 call's name; one on a subresource is told as `PUT ?versioning`."""
    if subresources := sorted(S3_SUBRESOURCES & set(parameters)):
        return f"{method} ?{subresources[0]}"
    depth = len([part for part in path.split("/", 2) if part])
    return S3_ACTIONS.get((method, depth), f"{method} {path}")


class CallLog:
    """Append lines to a file; without a file, do nothing."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._path = path

    def api(self, *, service: str, action: str, status: int, account: str, agent: str, started: float) -> None:
        """Log an AWS API call."""
        write = is_write(service, action)
        self._write(
            "api", started, service=service, action=action, status=status, account=account, write=write, agent=agent
        )

    def registry(
        self,
        *,
        method: str,
        path: str,
        status: int,
        account: str,
        started: float,
        received: int = 0,
        sent: int = 0,
    ) -> None:
        """Log a request to the image registry, with the bytes of its body and of the answer's."""
        self._write(
            "registry",
            started,
            service="registry",
            action=f"{method} {path}",
            status=status,
            account=account,
            write=method not in SAFE_METHODS,
            received=received,
            sent=sent,
        )

    def _write(self, kind: str, started: float, **fields: object) -> None:
        if self._path is None:
            return
        moment = datetime.fromtimestamp(started, tz=UTC).isoformat(timespec="milliseconds")
        spent = round((time.time() - started) * 1000, 1)
        line = json.dumps({"time": moment, "kind": kind, **fields, "duration_ms": spent})
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
