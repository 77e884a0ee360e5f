"""The task sets of a service under CodeDeploy: tasks of several revisions beside each other, each in a target group.

MiniStack keeps deployments for every service. Here each of them is a task set: PRIMARY has the traffic, ACTIVE is
beside it, DRAINING is being deleted. `services` starts and stops their tasks; CodeDeploy makes, promotes and deletes.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from ministack.services import ecs

from deploylib.localaws.extension import patching

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Data = dict[str, Any]

CODE_DEPLOY = "CODE_DEPLOY"
PLACEMENT = "_placement"
# Where a task set's tasks go: a service has it too, and CodeDeploy may bring another with each deployment.
PLACED = ("launchType", "capacityProviderStrategy", "platformVersion", "networkConfiguration", "loadBalancers")
# What UpdateService still does to such a service.
UPDATED = frozenset(
    {
        *("cluster", "service", "desiredCount", "deploymentConfiguration", "healthCheckGracePeriodSeconds"),
        *("enableECSManagedTags", "enableExecuteCommand", "propagateTags", "placementConstraints", "placementStrategy"),
        *("availabilityZoneRebalancing",),
    }
)


def install() -> None:
    """Tell task sets where a service under CodeDeploy has deployments."""
    ecs._ECS_TIMESTAMP_FIELDS.add("stabilityStatusAt")

    @patching.wrap(ecs, "_sanitize(obj)")
    def sanitized(original: Callable[..., Any], told: Any) -> Any:
        return original(_told(told) if isinstance(told, dict) and "serviceName" in told else told)


def by_codedeploy(service: Mapping[str, Any]) -> bool:
    """Whether CodeDeploy alone gives the service another revision."""
    return (service.get("deploymentController") or {}).get("type") == CODE_DEPLOY


def refusal(data: Mapping[str, Any]) -> str:
    """Return why UpdateService with *data* is not done to a service under CodeDeploy; nothing when it is."""
    given = sorted(name for name in set(data) - UPDATED if data[name])  # Terraform always says forceNewDeployment
    if not given:
        return ""
    unable = f"Unable to update {', '.join(given)} on services with a CODE_DEPLOY deployment controller."
    return f"{unable} Use AWS CodeDeploy to trigger a new deployment."


def first(service: Data) -> None:
    """Make the one deployment of a new service its first task set."""
    (only,) = service["deployments"]
    only[PLACEMENT] = {name: copy.deepcopy(service.get(name)) for name in PLACED}


def create(service: Data, definition: str, placement: Mapping[str, Any], maker: str) -> Data:
    """Add a task set beside the others, for CodeDeploy's deployment *maker*; its tasks start with the next look."""
    kept = {name: copy.deepcopy(service.get(name)) for name in PLACED}
    made = ecs._make_deployment(definition, service["desiredCount"], "ACTIVE")
    made.update({PLACEMENT: {**kept, **placement}, "_maker": maker, "rolloutState": "IN_PROGRESS"})
    service["deployments"].insert(0, made)
    return dict(made)


def find(service: Mapping[str, Any], identifier: str) -> Data | None:
    """Return a task set of a service, if it is still there."""
    return next((one for one in service["deployments"] if one["id"] == identifier), None)


def promote(service: Data, identifier: str) -> None:
    """Make a task set the PRIMARY one: the service says from now on what it says."""
    for one in service["deployments"]:
        if one["id"] == identifier:
            one.update(status="PRIMARY", updatedAt=ecs._iso())
            service.update(taskDefinition=one["taskDefinition"], **copy.deepcopy(one[PLACEMENT]))
        elif one["status"] == "PRIMARY":
            one.update(status="ACTIVE", updatedAt=ecs._iso())


def delete(service: Data, identifier: str) -> None:
    """Let the tasks of a task set stop; it is gone when the last has."""
    if found := find(service, identifier):
        found.update(status="DRAINING", desiredCount=0, updatedAt=ecs._iso())


def placed(service: Data, deployment: Mapping[str, Any] | None) -> Data:
    """Return a service with what one of its task sets says of the place of its tasks."""
    return {**service, **((deployment or {}).get(PLACEMENT) or {})}


def wanted(service: Mapping[str, Any], task_set: Mapping[str, Any]) -> int:
    """Return how many tasks a task set is to have: all that the service wants, until it is deleted."""
    return 0 if task_set["status"] == "DRAINING" else int(service.get("desiredCount") or 0)


def settle(task_set: Data, *, steady: bool) -> None:
    """Note whether a task set runs all that it is to run."""
    state = "COMPLETED" if steady else "IN_PROGRESS"
    if task_set["rolloutState"] != state:
        task_set.update(rolloutState=state, updatedAt=ecs._iso(), _settled_at=ecs._iso())


def _told(service: Data) -> Data:
    if not by_codedeploy(service) or "deployments" not in service:
        return service
    sets = [_described(service, one) for one in service["deployments"]]
    return {**service, "deployments": [], "taskSets": sets}


def _described(service: Data, one: Data) -> Data:
    arn = f"{service['serviceArn'].replace(':service/', ':task-set/')}/{one['id']}"
    place = placed(service, one)
    origin = {"startedBy": CODE_DEPLOY, "externalId": one["_maker"]} if one.get("_maker") else {}
    return {
        **{name: one[name] for name in ("id", "status", "taskDefinition", "createdAt", "updatedAt")},
        **{name: place[name] for name in PLACED if place.get(name)},
        **{name: one[name] for name in ("runningCount", "pendingCount")},
        **origin,
        "taskSetArn": arn,
        "serviceArn": service["serviceArn"],
        "clusterArn": service["clusterArn"],
        "computedDesiredCount": wanted(service, one),
        "scale": {"value": 0.0 if one["status"] == "DRAINING" else 100.0, "unit": "PERCENT"},
        "stabilityStatus": "STEADY_STATE" if one["rolloutState"] == "COMPLETED" else "STABILIZING",
        "stabilityStatusAt": one.get("_settled_at", one["createdAt"]),
    }
