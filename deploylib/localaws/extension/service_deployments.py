"""The API of service deployments, which MiniStack answers with empty lists."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ministack.services import ecs

from deploylib.localaws.extension import history, patching

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deploylib.localaws.extension.services import Scheduler

Data = dict[str, Any]

ARNS_PER_CALL = 20
PER_PAGE = 100
STOPPED_BY_USER = "Service deployment stopped by user."


def install(scheduler: Scheduler) -> None:
    """Tell of service deployments, and stop them."""
    patching.require(ecs, "_ECS_TIMESTAMP_FIELDS", "_circuit_breaker_threshold", "_resolve_service_ref")
    ecs._ECS_TIMESTAMP_FIELDS.add("finishedAt")

    @patching.replace(ecs, "_list_service_deployments(data)")
    def listed(data: Data) -> Any:
        with scheduler.lock:
            return _listed(data)

    @patching.replace(ecs, "_describe_service_deployments(data)")
    def described(data: Data) -> Any:
        with scheduler.lock:
            return _described(data)

    @patching.answer(ecs, "StopServiceDeployment")
    def stopped(data: Data) -> Any:
        with scheduler.lock:
            return _stopped(data, scheduler)


def _listed(data: Data) -> Any:
    cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))
    name = ecs._resolve_service_ref(data.get("service") or "")
    service = ecs._services.get(f"{cluster}/{name[0]}") if cluster and name else None
    if service is None:
        return ecs.error_response_json("ServiceNotFoundException", "Service not found.", 400)
    found = [history.brief(one) for one in history.of(service) if _asked_for(one, data)]
    first, most = int(data.get("nextToken") or 0), int(data.get("maxResults") or PER_PAGE)
    more = {"nextToken": str(first + most)} if first + most < len(found) else {}
    return ecs.json_response({"serviceDeployments": found[first : first + most], **more})


def _asked_for(record: Mapping[str, Any], data: Data) -> bool:
    statuses, created = data.get("status") or (), data.get("createdAt") or {}
    moment = datetime.fromisoformat(record["createdAt"]).timestamp()
    after, before = _seconds(created.get("after")), _seconds(created.get("before"))
    in_time = (after is None or moment >= after) and (before is None or moment <= before)
    return in_time and (not statuses or record["status"] in statuses)


def _seconds(value: Any) -> float | None:
    """Return a timestamp of a request, which is a number or a text, in seconds."""
    if value is None or isinstance(value, (int, float)):
        return value
    parsed = datetime.fromisoformat(str(value))
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def _described(data: Data) -> Any:
    asked = data.get("serviceDeploymentArns") or []
    if not 1 <= len(asked) <= ARNS_PER_CALL:
        message = "serviceDeploymentArns must have between 1 and 20 elements"
        return ecs.error_response_json("InvalidParameterException", message, 400)
    known = {record["serviceDeploymentArn"]: (record, service) for service, record in _all()}
    told = [
        ecs._sanitize(history.full(record, service, ecs._circuit_breaker_threshold(service)))
        for record, service in (known[arn] for arn in asked if arn in known)
    ]
    failures = [{"arn": arn, "reason": "MISSING"} for arn in asked if arn not in known]
    return ecs.json_response({"serviceDeployments": told, "failures": failures})


def _stopped(data: Data, scheduler: Scheduler) -> Any:
    arn = data.get("serviceDeploymentArn", "")
    found = next((pair for pair in _all() if pair[1]["serviceDeploymentArn"] == arn), None)
    if found is None:
        message = "Service deployment not found."
        return ecs.error_response_json("ServiceDeploymentNotFoundException", message, 400)
    service, record = found
    if data.get("stopType", "ROLLBACK") != "ROLLBACK":
        return ecs.error_response_json("InvalidParameterException", "stopType must be ROLLBACK", 400)
    if record is not history.current(service) or record["status"] in history.ROLLING_BACK:
        message = f"Service deployment cannot be stopped: it is {record['status']}."
        return ecs.error_response_json("ConflictException", message, 400)
    scheduler.stop_deployment(service, STOPPED_BY_USER)
    return ecs.json_response({"serviceDeploymentArn": arn})


def _all() -> Iterator[tuple[Data, Data]]:
    """Yield each service of the account and region with each of its records."""
    for service in ecs._services.values():
        for record in history.of(service):
            yield service, record
