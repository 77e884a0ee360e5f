"""How one container of a task definition is created: what Docker is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docker.types import Ulimit

from deploylib.localaws.extension.engine import TASK_LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_STOP_TIMEOUT_SECONDS = 30.0
# Docker would run an image's own HEALTHCHECK; ECS does not.
NO_HEALTHCHECK = {"test": ["NONE"]}
SAME_NAME = {"entryPoint": "entrypoint", "user": "user", "workingDirectory": "working_dir"}


def container_name(definition: Mapping[str, Any], name: str, task_id: str) -> str:
    """Return a name that tells a person what the container is, as the ECS agent's names do."""
    return f"ecs-{definition['family']}-{definition['revision']}-{name}-{task_id[:8]}"


def stop_timeout_seconds(container: Mapping[str, Any]) -> float:
    """Return the time between the stop signal and SIGKILL."""
    given = container.get("stopTimeout")
    return DEFAULT_STOP_TIMEOUT_SECONDS if given is None else float(given)


def override(container: Mapping[str, Any], overrides: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a container definition with RunTask's overrides for it applied."""
    given = next((o for o in overrides if o.get("name") == container["name"]), {})
    changed = {key: given[key] for key in ("command", "cpu", "memory", "memoryReservation") if key in given}
    environment = {entry["name"]: entry["value"] for entry in container.get("environment") or []}
    environment |= {entry["name"]: entry["value"] for entry in given.get("environment") or []}
    listed = [{"name": name, "value": value} for name, value in environment.items()]
    return {**container, **changed, "environment": listed}


def limits(container: Mapping[str, Any], definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return Docker's arguments for memory, ulimits and the rest that bounds a container."""
    bounds: dict[str, Any] = {}
    if memory := container.get("memory") or definition.get("memory"):
        bounds["mem_limit"] = f"{int(memory)}m"
    if reserved := container.get("memoryReservation"):
        bounds["mem_reservation"] = f"{int(reserved)}m"
    if container.get("readonlyRootFilesystem"):
        bounds["read_only"] = True
    if (container.get("linuxParameters") or {}).get("initProcessEnabled"):
        bounds["init"] = True
    if ulimits := container.get("ulimits"):
        bounds["ulimits"] = [Ulimit(name=u["name"], soft=u["softLimit"], hard=u["hardLimit"]) for u in ulimits]
    return bounds


def arguments(container: Mapping[str, Any], definition: Mapping[str, Any], stock: Mapping[str, Any]) -> dict[str, Any]:
    """Return Docker's arguments for a container: *stock* is what MiniStack makes of it."""
    said = {theirs: container[ours] for ours, theirs in SAME_NAME.items() if container.get(ours)}
    labels = {**stock["labels"], **(container.get("dockerLabels") or {})}
    made = {**stock, **said, **limits(container, definition), "labels": labels, "healthcheck": NO_HEALTHCHECK}
    if container.get("hostname"):
        made["hostname"] = container["hostname"]
    made.pop("detach", None)
    return made


def joining(made: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """Return *made* with the network of the container *namespace* in place of one of its own."""
    own = ("network", "extra_hosts", "ports", "hostname")
    return {**{key: value for key, value in made.items() if key not in own}, "network_mode": f"container:{namespace}"}


def namespace_arguments(
    stock: Mapping[str, Any], name: str, task_arn: str, labels: Mapping[str, str]
) -> dict[str, Any]:
    """Return Docker's arguments for the pause container of a task."""
    kept = {key: stock[key] for key in ("network", "extra_hosts") if key in stock}
    return {**kept, "name": name, "labels": {**labels, TASK_LABEL: task_arn}, "read_only": True}


def shared_volumes(
    container: Mapping[str, Any], definition: Mapping[str, Any], task_id: str
) -> tuple[list[str], tuple[str, ...]]:
    """Return binds for, and names of, the task's volumes that have no path on the host."""
    hostless = {v["name"] for v in definition.get("volumes") or [] if not (v.get("host") or {}).get("sourcePath")}
    mounted = [m for m in container.get("mountPoints") or [] if m.get("sourceVolume") in hostless]
    named = {m["sourceVolume"]: f"ecs-{task_id[:8]}-{m['sourceVolume']}" for m in mounted}
    binds = [f"{named[m['sourceVolume']]}:{m['containerPath']}:{'ro' if m.get('readOnly') else 'rw'}" for m in mounted]
    return binds, tuple(named.values())
