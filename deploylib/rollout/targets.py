"""What is followed: our deployment of a service, as UpdateService returned it, and how that ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from deploylib import strategies

if TYPE_CHECKING:
    import datetime as dt

    from types_boto3_ecs.client import ECSClient

Verdict = Literal["done", "rolled back", "failed", "superseded", "timed out", "not drained"]
Description = Mapping[str, Any]

SERVICES_PER_CALL = 10
DEPLOYMENT = "ecs-svc/"  # how ECS begins the id of a deployment, which it starts tasks by


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One service to follow: *deployment* is ours, of *revision*; *previous* is the revision that it replaces.

    `former` are the deployments that were there when ours was made, `known_events` the events; *since* is when that
    was, by AWS's clock. `expected_seconds` is how long the former rollout took, zero when that is not known;
    `limit_seconds` how long this one may take, zero for the environment's limit; `settle_seconds` how long its tasks
    have to stay until it is done, zero where somebody asks for their health. *by_codedeploy*: the
    deployment's id is CodeDeploy's, which moves the service; see `deploylib.bluegreen`.
    """

    key: str
    name: str
    deployment: str
    revision: str
    previous: str
    desired: int = 0
    former: frozenset[str] = frozenset()
    known_events: frozenset[str] = frozenset()
    expected_seconds: float = 0.0
    limit_seconds: float = 0.0
    settle_seconds: float = 0.0
    since: dt.datetime | None = None
    target_groups: tuple[str, ...] = ()
    by_codedeploy: bool = False

    def is_older(self, task: Description) -> bool:
        """Whether *task* is of another deployment; a restart rolls the same revision out anew."""
        by = str(task.get("startedBy", ""))
        others = by.startswith(DEPLOYMENT) and self.deployment.startswith(DEPLOYMENT) and by != self.deployment
        return task["taskDefinitionArn"] != self.revision or others


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one service's rollout ended, and why."""

    target: Target
    verdict: Verdict
    reason: str = ""

    @property
    def restores_itself(self) -> bool:
        """Whether ECS returns to the former revision without our help."""
        return self.verdict == "rolled back"


def target(key: str, description: Description, *, previous: str, limit_seconds: float | None = None) -> Target:
    """Return what to follow after UpdateService answered with *description*."""
    description = strategies.steered(description)
    ours = primary(description)
    others = [one for one in description["deployments"] if one is not ours]
    return Target(
        key=key,
        name=description["serviceName"],
        deployment=ours["id"],
        revision=ours["taskDefinition"],
        previous=previous,
        desired=int(description.get("desiredCount", 0)),
        former=frozenset(one["id"] for one in others),
        known_events=frozenset(one["id"] for one in description.get("events", ())),
        expected_seconds=max(map(_seconds, others), default=0.0),
        limit_seconds=limit_seconds or 0.0,
        since=ours.get("createdAt"),
        target_groups=tuple(
            one["targetGroupArn"] for one in description.get("loadBalancers", ()) if one.get("targetGroupArn")
        ),
    )


def describe(ecs: ECSClient, cluster: str, names: Sequence[str]) -> dict[str, Description]:
    """Return the description of each service by name, ten per call; services that ECS does not have are left out."""
    found: dict[str, Description] = {}
    for at in range(0, len(names), SERVICES_PER_CALL):
        found |= describe_some(ecs, cluster, names[at : at + SERVICES_PER_CALL])
    return found


def describe_some(ecs: ECSClient, cluster: str, names: Sequence[str]) -> dict[str, Description]:
    """Return what one call says of up to ten services."""
    answer = ecs.describe_services(cluster=cluster, services=list(names))
    active = (one for one in answer["services"] if one.get("status") == "ACTIVE")
    return {one["serviceName"]: strategies.steered(one) for one in active}


def primary(description: Description) -> Description:
    """Return the deployment that ECS steers to."""
    return next((one for one in description.get("deployments", ()) if one["status"] == "PRIMARY"), {})


def _seconds(deployment: Description) -> float:
    """Return how long *deployment* took, if it is complete. (Scaled later, it seems to have taken longer.)"""
    if deployment.get("rolloutState") != "COMPLETED":
        return 0.0
    took: dt.timedelta = deployment["updatedAt"] - deployment["createdAt"]
    return max(0.0, took.total_seconds())
