"""A service under CodeDeploy: task sets beside each other, each with all its tasks, made and deleted from outside.

A `Deployment` of the other services is a task set here; which of them is PRIMARY takes the production traffic.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.fakes.services import Deployment, Service


@dataclass(slots=True, kw_only=True, eq=False)
class TaskSets(Service):
    """One service whose task sets CodeDeploy makes. `made_by` has the id of its deployment for each that it made."""

    draining: list[Deployment] = field(default_factory=list)
    made_by: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    green_group: str = ""

    @property
    def target_groups(self) -> tuple[str, ...]:
        return (self.target_group, self.green_group)

    def group_of(self, deployment: Deployment) -> str:
        return self.groups.get(deployment.id, self.target_group)

    def balancers_of(self, deployment: Deployment) -> list[dict[str, Any]]:
        """Return what the service says of its load balancer, with the group of one task set."""
        said = self.attributes.get("loadBalancers") or ()
        return [{**one, "targetGroupArn": self.group_of(deployment)} for one in said]

    def origin(self, deployment: Deployment) -> dict[str, Any]:
        """Return what tells who made a task set: nothing but the first one is ECS's own."""
        maker = self.made_by.get(deployment.id)
        return {"startedBy": "CODE_DEPLOY", "externalId": maker} if maker else {}

    def create(self, revision: str, maker: str) -> Deployment:
        """Make a task set beside the PRIMARY one, in the target group that is free."""
        before = self.primary
        made = self.deploy(revision, recorded=False)
        made.status, before.status = "ACTIVE", "PRIMARY"
        self.made_by[made.id] = maker
        free = self.green_group if self.group_of(before) == self.target_group else self.target_group
        self.groups[made.id] = free
        return made

    def promote(self, chosen: Deployment) -> None:
        """Give *chosen* all the traffic."""
        for one in self.deployments:
            one.status = "PRIMARY" if one is chosen else "ACTIVE"

    def delete(self, chosen: Deployment) -> None:
        """Take a task set away: its tasks stop, and it is DRAINING until the last has."""
        if chosen in self.deployments and chosen not in self.draining:
            self.draining.append(chosen)
            self._stop([one for one in self.of(chosen) if one.wanted], chosen)
            self.look_soon()

    def healthy(self, chosen: Deployment) -> bool:
        """Whether *chosen* runs all that it is to run."""
        mine = self.of(chosen)
        return sum(one.proven for one in mine) == sum(one.wanted for one in mine) == self.desired

    def scale(self, desired: int) -> None:
        self.desired, self.steady = desired, False
        for one in self.deployments:
            one.desired = desired
        self.look_soon()

    def _look(self) -> None:
        self.next_look = None
        for one in [one for one in self.deployments if one not in self.draining]:
            wanted = [each for each in self.of(one) if each.wanted]
            self._start(one, self.desired - len(wanted))
            self._stop(wanted[self.desired :], one)
            one.state = "COMPLETED" if self.healthy(one) else "IN_PROGRESS"
        for one in list(self.draining):
            if all(each.status == "STOPPED" for each in self.of(one)):
                self.draining.remove(one)
                self.deployments.remove(one)
        self.steady = not self.draining and len(self.deployments) == 1 and self.primary.state == "COMPLETED"
        if not self.steady:
            self.look_soon()
