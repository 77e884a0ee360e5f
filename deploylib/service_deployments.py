"""What ECS says of our deployments as *service deployments*: status, why it went back, which alarms; where we may ask.

DescribeServices and the tasks decide whether a rollout is done; this only tells a roll-back from another deployment,
and says why, sooner and better. A service deployment has an identity of its own. It is ours if its revision bears the
number of our deployment, else if it is the one that AWS made when it made ours (by AWS's clock, never by this one).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from deploylib.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from types_boto3_ecs.client import ECSClient

    Record = Mapping[str, Any]

PER_CALL = 20
TRIES = 3
BEFORE = dt.timedelta(seconds=5)  # AWS writes the two times one after the other
NOT_ALLOWED = frozenset({"AccessDeniedException", "AccessDenied"})
NOT_THERE = frozenset({"UnsupportedFeatureException", "UnknownOperationException", "InvalidAction", "NotImplemented"})
GOING_BACK = frozenset({"ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"})
STOPPING = frozenset({"STOP_REQUESTED", "STOPPED"})


class Followed(Protocol):
    """The deployment of a service that is followed; *since* is AWS's own time of it."""

    @property
    def key(self) -> str:
        """The service's key in the contract."""

    @property
    def name(self) -> str:
        """The service's name in ECS."""

    @property
    def deployment(self) -> str:
        """The deployment's id, `ecs-svc/NUMBER`."""

    @property
    def since(self) -> dt.datetime | None:
        """When ECS made it."""


@dataclass(slots=True, kw_only=True)
class ServiceDeployments:
    """Reads the service deployments of what is followed; once it is not allowed, nothing is asked any more."""

    ecs: ECSClient
    cluster: str
    refused: str = ""
    _arns: dict[str, str] = field(default_factory=dict)
    _tries: dict[str, int] = field(default_factory=dict)
    _records: dict[str, Record] = field(default_factory=dict)

    def of(self, followed: Followed) -> Record | None:
        """Return what was last read of *followed*'s service deployment."""
        return self._records.get(followed.key)

    def read(self, several: Sequence[Followed], *, calls: int) -> int:
        """Find and read what *calls* calls are enough for; return how many were made. Raises nothing: it may wait."""
        made = 0
        for one in several:
            if made >= calls or self.refused:
                return made
            if one.key not in self._arns and self._tries.get(one.key, 0) < TRIES:
                made += 1
                self._find(one)
        known = {self._arns[one.key]: one.key for one in several if one.key in self._arns}
        for at in range(0, len(known), PER_CALL):
            if made >= calls or self.refused:
                return made
            made += 1
            self._describe(known, list(known)[at : at + PER_CALL])
        return made

    def _find(self, followed: Followed) -> None:
        self._tries[followed.key] = self._tries.get(followed.key, 0) + 1
        try:
            answer = self.ecs.list_service_deployments(cluster=self.cluster, service=followed.name, maxResults=10)
        except AwsError as error:
            self._understand(error)
            return
        if ours := mine(followed, answer["serviceDeployments"]):
            self._arns[followed.key] = ours["serviceDeploymentArn"]
            self._records[followed.key] = ours

    def _describe(self, known: Mapping[str, str], arns: list[str]) -> None:
        try:
            answer = self.ecs.describe_service_deployments(serviceDeploymentArns=arns)
        except AwsError as error:
            self._understand(error)
            return
        for one in answer["serviceDeployments"]:
            if key := known.get(one["serviceDeploymentArn"]):
                self._records[key] = one

    def _understand(self, error: AwsError) -> None:
        if error.code in NOT_ALLOWED:
            self.refused = f"{error}; why ECS goes back, if it does, may stay unsaid"
        elif error.code in NOT_THERE:
            self.refused = "ECS has no service deployments here: why it goes back, if it does, may stay unsaid"


def mine(followed: Followed, records: Sequence[Record]) -> Record | None:
    """Return which of *records* is the service deployment of *followed* (pure)."""
    number = followed.deployment.rpartition("/")[2]
    if numbered := [one for one in records if str(one.get("targetServiceRevisionArn", "")).endswith(f"/{number}")]:
        return numbered[0]
    since = followed.since
    if since is None:
        return None
    later = [one for one in records if one["createdAt"] >= since - BEFORE]
    return min(later, key=lambda one: abs(one["createdAt"] - since), default=None)


def goes_back(record: Record | None) -> bool:
    """Whether ECS has begun to return to the former revision."""
    return record is not None and record.get("status") in GOING_BACK


def why(record: Record | None) -> str:
    """Return ECS's own words for why it went back, or stopped."""
    if record is None:
        return ""
    return str((record.get("rollback") or {}).get("reason") or record.get("statusReason") or "")


def alarms(record: Record | None) -> tuple[str, ...]:
    """Return the names of the CloudWatch alarms that made ECS give the deployment up."""
    return tuple(((record or {}).get("alarms") or {}).get("triggeredAlarmNames") or ())
