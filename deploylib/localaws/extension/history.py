"""The service deployments of a service: what became of each update, newest first, as ECS keeps them for 90 days.

DescribeServices forgets a deployment when its last task is gone; these records stay. They lie in the service's own
record, so that a kept state has them too. Here they are only written and told; `services` says what happens.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Data = dict[str, Any]

KEPT = "_service_deployments"
OPEN = ("PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")
ROLLING_BACK = ("ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")
SUPERSEDED = "Service deployment stopped because a newer service deployment was created."
NO_CANDIDATE = " No rollback candidate was found to run the rollback."
BRIEF = (
    *("serviceDeploymentArn", "serviceArn", "clusterArn", "startedAt", "createdAt", "finishedAt"),
    *("targetServiceRevisionArn", "status", "statusReason"),
)
IDENTIFIER_LENGTH = 21


def of(service: Mapping[str, Any]) -> list[Data]:
    """Return a service's records, newest first."""
    return list(service.get(KEPT, ()))


def current(service: Mapping[str, Any]) -> Data | None:
    """Return the record that is not finished."""
    return next((one for one in of(service) if one["status"] in OPEN), None)


def begin(service: Data, deployment: Mapping[str, Any], source: Mapping[str, Any] | None, *, now: str) -> None:
    """Note that *deployment* takes the place of *source*; what was under way is stopped by that."""
    if replaced := current(service):
        _close(replaced, "STOPPED", SUPERSEDED, now=now)
    number = len(of(service))
    record = {
        "serviceDeploymentArn": _arn(service, "service-deployment", f"{deployment['id']}#{number}"),
        "serviceArn": service["serviceArn"],
        "clusterArn": service["clusterArn"],
        "createdAt": now,
        "updatedAt": now,
        "status": "PENDING",
        "targetServiceRevisionArn": revision_arn(service, deployment),
        "_target": deployment["id"],
        "_source": source["id"] if source else "",
    }
    service[KEPT] = [record, *of(service)]


def roll_back(service: Data, reason: str, restored: Mapping[str, Any] | None, *, now: str) -> None:
    """Note that the service goes back to the deployment *restored*; without one there is nothing to go back to."""
    record = current(service)
    if record is None:
        return
    if restored is None:
        told = reason if record["status"] in ROLLING_BACK else reason + NO_CANDIDATE
        _close(record, "ROLLBACK_FAILED", told, now=now)
        return
    rollback = {"reason": reason, "startedAt": now, "serviceRevisionArn": revision_arn(service, restored)}
    changes = {"status": "ROLLBACK_IN_PROGRESS", "statusReason": reason, "rollback": rollback, "updatedAt": now}
    record.update(changes, _restored=restored["id"])


def fail(service: Data, reason: str, *, now: str) -> None:
    """Note that the deployment has failed: what rolls back has failed at that, what does not is stopped."""
    if record := current(service):
        _close(record, "ROLLBACK_FAILED" if record["status"] in ROLLING_BACK else "STOPPED", reason, now=now)


def settle(service: Data, primary: Mapping[str, Any], *, drained: bool, now: str) -> None:
    """Note that the work has begun, or is done: the primary deployment is complete and no older task is left."""
    record = current(service)
    if record is None:
        return
    if record["status"] == "PENDING":
        record.update(status="IN_PROGRESS", startedAt=now, updatedAt=now)
    if primary["rolloutState"] == "COMPLETED" and drained:
        _close(record, "ROLLBACK_SUCCESSFUL" if record["status"] in ROLLING_BACK else "SUCCESSFUL", "", now=now)


def _close(record: Data, status: str, reason: str, *, now: str, **more: Any) -> None:
    stopped = {"stoppedAt": now} if status == "STOPPED" else {}
    told = {"statusReason": reason} if reason else {}
    record.update(status=status, finishedAt=now, updatedAt=now, **stopped, **told, **more)


# ── what is told


def brief(record: Mapping[str, Any]) -> Data:
    """Return a record as ListServiceDeployments tells it."""
    return {name: record[name] for name in BRIEF if name in record}


def full(record: Mapping[str, Any], service: Mapping[str, Any], threshold: int) -> Data:
    """Return a record as DescribeServiceDeployments tells it."""
    configuration = service.get("deploymentConfiguration") or {}
    told = {name: value for name, value in record.items() if name != "targetServiceRevisionArn"}
    source = _deployment(service, record["_source"])
    return {
        **told,
        "targetServiceRevision": _summary(service, record["targetServiceRevisionArn"], record["_target"]),
        "sourceServiceRevisions": [_summary(service, revision_arn(service, source), source["id"])] if source else [],
        "deploymentConfiguration": configuration,
        "deploymentCircuitBreaker": _breaker(record, service, threshold),
        "alarms": _alarms(record, configuration),
    }


def revision_arn(service: Mapping[str, Any], deployment: Mapping[str, Any]) -> str:
    """Return the ARN of the service revision that a deployment stands for."""
    return _arn(service, "service-revision", str(deployment["id"]))


def _summary(service: Mapping[str, Any], arn: str, identifier: str) -> Data:
    deployment = _deployment(service, identifier) or {}
    counts = {f"{kind}TaskCount": int(deployment.get(f"{kind}Count") or 0) for kind in ("running", "pending")}
    return {"arn": arn, "requestedTaskCount": int(deployment.get("desiredCount") or 0), **counts}


def _breaker(record: Mapping[str, Any], service: Mapping[str, Any], threshold: int) -> Data:
    breaker = (service.get("deploymentConfiguration") or {}).get("deploymentCircuitBreaker") or {}
    failures = int((_deployment(service, record["_target"]) or {}).get("failedTasks") or 0)
    tripped = "circuit breaker" in str(record.get("statusReason", ""))
    status = "TRIGGERED" if tripped else _monitoring(record, enabled=bool(breaker.get("enable")))
    return {"status": status, "failureCount": failures, "threshold": threshold}


def _alarms(record: Mapping[str, Any], configuration: Mapping[str, Any]) -> Data:
    alarms = configuration.get("alarms") or {}
    status = _monitoring(record, enabled=bool(alarms.get("enable")))
    return {"status": status, "alarmNames": alarms.get("alarmNames") or [], "triggeredAlarmNames": []}


def _monitoring(record: Mapping[str, Any], *, enabled: bool) -> str:
    if not enabled:
        return "DISABLED"
    return "MONITORING" if record["status"] in OPEN else "MONITORING_COMPLETE"


def _deployment(service: Mapping[str, Any], identifier: str) -> Data | None:
    return next((one for one in service.get("deployments", ()) if one["id"] == identifier), None)


def _arn(service: Mapping[str, Any], kind: str, seed: str) -> str:
    """Return an ARN whose last part is made of *seed* and of nothing that a client may know."""
    parts = str(service["serviceArn"]).split(":", 5)
    cluster, name = parts[5].split("/")[-2:]
    identifier = hashlib.sha256(f"{kind} {seed}".encode()).hexdigest()[:IDENTIFIER_LENGTH]
    return f"{':'.join(parts[:5])}:{kind}/{cluster}/{name}/{identifier}"
