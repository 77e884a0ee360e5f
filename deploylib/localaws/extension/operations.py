"""ECS API operations: MiniStack keeps the records, the scheduler and the tasks' own threads do the work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ministack.core.responses import request_scope
from ministack.services import ecs, s3, ssm

from deploylib.localaws.extension import history, patching, task_sets
from deploylib.localaws.extension.record import Stop
from deploylib.localaws.extension.vitals import SCHEDULER

if TYPE_CHECKING:
    from deploylib.localaws.extension.engine import Engine
    from deploylib.localaws.extension.services import Scheduler
    from deploylib.localaws.extension.tasks import Runs

Data = dict[str, Any]
Operation = Callable[[Data], Any]

# Private names that are used as they are.
USED = (
    *("_tags", "_task_defs", "_tasks", "_services", "_SecretResolutionError", "_awslogs_config", "_build_run_kwargs"),
    *("_circuit_breaker_threshold", "_cluster_name_from_arn", "_deployment_for_task", "_emit_awslogs_event"),
    *("_ensure_awslogs_stream", "_iso", "_primary_deployment", "_recount_cluster", "_register_metadata"),
    *("_resolve_cluster_name", "_resolve_container_secrets", "_resolve_service_ref", "_resolve_task"),
    *("_resolve_td_key", "_sanitize"),
)
# Fields of UpdateService that MiniStack drops.
UPDATED = (
    *("availabilityZoneRebalancing", "enableECSManagedTags", "placementConstraints", "placementStrategy"),
    *("propagateTags", "serviceRegistries"),
)
RESET_SECONDS = 30.0


def install(engine: Engine, scheduler: Scheduler, runs: Runs) -> None:
    """Put our operations in the place of MiniStack's."""
    patching.require(ecs, *USED)
    patching.require(s3, "_get_object_data")
    _install_tasks(engine, runs)
    _install_scheduling(scheduler)
    _install_services(scheduler)

    @patching.wrap(ecs, "_resolve_td_key(ref)")
    def key(original: Callable[..., Any], reference: str) -> Any:
        found = original(reference)
        is_family = bool(found) and ":" not in reference.rpartition("/")[2]
        return _newest_active(found) if is_family else found

    @patching.wrap(ecs, "_ts_to_epoch(value)")
    def to_the_millisecond(original: Callable[..., Any], value: Any) -> Any:
        seconds = original(value)
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) and seconds != value else seconds

    @patching.wrap(ssm, "resolve_parameter_value(name_or_arn, version, decrypt)")
    def decrypted(original: Callable[..., Any], name: str, version: Any = None, decrypt: Any = None) -> Any:  # noqa: ARG001
        return original(name, version, decrypt=True)

    @patching.wrap(ecs, "reset()")
    def reset(original: Callable[[], None]) -> None:
        runs.stop_all(Stop(reason="The local AWS is being reset", code=SCHEDULER), RESET_SECONDS)
        original()


def _install_tasks(engine: Engine, runs: Runs) -> None:
    @patching.replace(ecs, "_get_docker()")
    def client() -> Any:
        return engine.client

    @patching.replace(ecs, "_run_task_worker(task, td, container_overrides, docker_client, account_id, region)")
    def live(task: Data, definition: Data, overrides: list[Data], _client: Any, account: str, region: str) -> None:
        with request_scope(account, region):
            runs.live(task, definition, overrides)

    @patching.replace(ecs, "_maybe_mark_stopped(task, docker_client)")
    def seen(task: Data, docker_client: Any = None) -> None:
        """Do nothing: the task's own thread looks at its containers."""

    @patching.wrap(ecs, "_run_task(data)")
    def run(original: Callable[..., Any], data: Data) -> Any:
        if engine.gate.closed:
            return ecs.error_response_json("ServerException", "The local AWS is going down.", 500)
        return original(data)

    @patching.replace(ecs, "_stop_task(data)")
    def stop(data: Data) -> Any:
        cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))
        task = ecs._resolve_task(data.get("task", ""), cluster) if cluster else None
        if not task:
            return ecs.error_response_json("InvalidParameterException", "The referenced task was not found.", 400)
        runs.stop(task, Stop(reason=data.get("reason") or "Task stopped by user", code="UserInitiated"))
        return ecs.json_response({"task": ecs._sanitize(task)})


def _install_scheduling(scheduler: Scheduler) -> None:
    @patching.replace(ecs, "_reconcile_service_tasks(cluster_name, svc_key)")
    def reconcile(_cluster: str, key: str) -> None:
        scheduler.nudge(key)

    @patching.replace(ecs, "_sync_service_targets(cluster_name, svc)")
    def synchronise(_cluster: str, _service: Data) -> None:
        """Do nothing: each task registers its own targets."""

    @patching.wrap(ecs, "_make_deployment(task_definition, desired_count, status)")
    def make(original: Callable[..., Data], definition: str, count: int, status: str = "PRIMARY") -> Data:
        deployment = original(definition, count, status)
        reason = f"ECS deployment {deployment['id']} in progress."
        return {**deployment, "rolloutState": "IN_PROGRESS", "rolloutStateReason": reason}


def _install_services(scheduler: Scheduler) -> None:
    @patching.wrap(ecs, "_create_service(data)")
    def create(original: Operation, data: Data) -> Any:
        with scheduler.lock:
            return _created(original, data)

    @patching.wrap(ecs, "_update_service(data)")
    def update(original: Operation, data: Data) -> Any:
        with scheduler.lock:
            return _updated(original, data)

    @patching.wrap(ecs, "_delete_service(data)")
    def delete(original: Operation, data: Data) -> Any:
        with scheduler.lock:
            return _deleted(original, data, scheduler)

    @patching.wrap(ecs, "_describe_services(data)")
    def describe(original: Operation, data: Data) -> Any:
        with scheduler.lock:
            return original(data)


def _created(original: Operation, data: Data) -> Any:
    service = _service(data, data.get("serviceName"))
    if service and service["status"] == "DRAINING":
        message = "Unable to Start a service that is still Draining."
        return ecs.error_response_json("InvalidParameterException", message, 400)
    if refusal := _bad_definition(data):
        return refusal
    answer, made = original(data), _service(data, data.get("serviceName"))
    if made is not service and made is not None and task_sets.by_codedeploy(made):
        task_sets.first(made)
    elif made is not service and made is not None:
        history.begin(made, ecs._primary_deployment(made), None, now=ecs._iso())
    return _rewritten(answer, made, data)


def _updated(original: Operation, data: Data) -> Any:
    service = _service(data, data.get("service"))
    if service is None:
        return original(data)
    if service["status"] != "ACTIVE":
        return ecs.error_response_json("ServiceNotActiveException", "Service was not ACTIVE.", 400)
    if refusal := _bad_definition(data):
        return refusal
    if task_sets.by_codedeploy(service) and (message := task_sets.refusal(data)):
        return ecs.error_response_json("InvalidParameterException", message, 400)
    known, before = len(service["events"]), ecs._primary_deployment(service)
    answer = original(data)
    # MiniStack tells of draining one task at every update.
    del service["events"][: len(service["events"]) - known]
    if (primary := ecs._primary_deployment(service)) is not before:
        history.begin(service, primary, before, now=ecs._iso())
    return _rewritten(answer, service, data)


def _deleted(original: Operation, data: Data, scheduler: Scheduler) -> Any:
    service = _service(data, data.get("service"))
    if service and (data.get("force") or not service.get("desiredCount")):
        scheduler.stop_all(service)  # MiniStack would stop them as if a user had asked
    answer = original(data)
    if answer[0] != 200 or service is None:  # noqa: PLR2004 - HTTP
        return answer
    service["status"] = "DRAINING"
    scheduler.nudge(f"{ecs._cluster_name_from_arn(service['clusterArn'])}/{service['serviceName']}")
    return ecs.json_response({"service": ecs._sanitize(service)})


def _service(data: Data, reference: Any) -> Data | None:
    cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))
    name = ecs._resolve_service_ref(reference or "")
    return ecs._services.get(f"{cluster}/{name[0]}") if cluster and name else None


def _bad_definition(data: Data) -> Any:
    """Refuse a task definition that does not exist or is not active: MiniStack takes it and breaks the service."""
    reference = data.get("taskDefinition")
    if not reference:
        return None
    definition = ecs._task_defs.get(ecs._resolve_td_key(reference))
    if definition is None:
        return _client_error("TaskDefinition not found.")
    return None if definition["status"] == "ACTIVE" else _client_error("TaskDefinition is inactive")


def _rewritten(answer: Any, service: Data | None, data: Data) -> Any:
    """Correct what MiniStack recorded of a created or updated service, and answer with that."""
    if answer[0] != 200 or service is None:  # noqa: PLR2004 - HTTP
        return answer
    service.setdefault("availabilityZoneRebalancing", "DISABLED")
    service.update({field: data[field] for field in UPDATED if field in data})
    primary = ecs._primary_deployment(service)
    if not primary["rolloutStateReason"]:
        primary["rolloutStateReason"] = f"ECS deployment {primary['id']} in progress."
    return ecs.json_response({"service": ecs._sanitize(service)})


def _newest_active(key: str) -> str:
    """Return the key of a family's newest active revision: MiniStack takes the newest, active or not."""
    family = key.partition(":")[0]
    active = [d["revision"] for d in ecs._task_defs.values() if d["family"] == family and d["status"] == "ACTIVE"]
    return f"{family}:{max(active)}" if active else key


def _client_error(message: str) -> Any:
    return ecs.error_response_json("ClientException", message, 400)
