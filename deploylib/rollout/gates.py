"""Services that wait for others: a gate opens when the first task of each service before it is healthy.

A deployment that is COMPLETED has healthy tasks (or wants none). Before that, it is asked of the tasks themselves: one
that is RUNNING, whose container health checks pass, and that every target group calls healthy, where it has any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib import stopped
from deploylib.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploylib.aws import Account
    from deploylib.rollout.assessment import Look
    from deploylib.rollout.targets import Description, Target

NOT_ALLOWED = frozenset({"AccessDenied", "AccessDeniedException"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A service that waits until the first tasks of those *after* which it moves are healthy; *start* updates it."""

    key: str
    after: tuple[str, ...]
    start: Callable[[], Target]


class Gates:
    """What is still waiting, and which services have a healthy task already."""

    def __init__(self, account: Account, cluster: str, starts: Sequence[Start]) -> None:
        self._account = account
        self._cluster = cluster
        self._waiting = list(starts)
        self._proofs: dict[str, _Proof] = {}
        self._ready: set[str] = set()
        self.refused = ""

    @property
    def waiting(self) -> bool:
        """Whether there are services that have not been started."""
        return bool(self._waiting)

    def look(self, targets: Sequence[Target], looks: dict[str, Look], *, calls: int) -> None:
        """Find out which of *targets* have a healthy task, with so many *calls*; the rest at the next look."""
        awaited = {key for one in self._waiting for key in one.after} - self._ready
        for target in targets:
            look = looks.get(target.key)
            if target.key not in awaited or look is None:
                continue
            if look.verdict == "done" or look.standing.state in ("completed", "draining"):
                self._ready.add(target.key)
            elif look.standing.running and calls > 0 and not target.by_codedeploy:  # that one has to have the traffic
                calls -= self._prove(target, calls)

    def _prove(self, target: Target, calls: int) -> int:
        proof = self._proofs.setdefault(target.key, _Proof(self._account, self._cluster, target))
        try:
            made = proof.look(calls)
        except AwsError as error:
            if error.code in NOT_ALLOWED:
                self.refused = f"{error}; {target.key} counts as healthy when it is complete"
                proof.impossible = True
            elif not error.transient:
                raise
            return 1
        if proof.healthy:
            self._ready.add(target.key)
        return made

    def open(self, under_way: Sequence[Target]) -> list[Start]:
        """Take out and return what may start now: all of it waits for nothing that is *under_way* or waits itself."""
        closed = {*(one.key for one in under_way), *(one.key for one in self._waiting)} - self._ready
        opened = [one for one in self._waiting if not closed & (set(one.after) - {one.key})]
        if not opened and not under_way:  # they wait for each other: better in no order than never
            opened = list(self._waiting)
        self._waiting = [one for one in self._waiting if one not in opened]
        return opened


class _Proof:
    """Looks for one healthy task of a deployment, a step at a time: its definition, its tasks, its target groups."""

    def __init__(self, account: Account, cluster: str, target: Target) -> None:
        self._account = account
        self._cluster = cluster
        self._target = target
        self._checked: bool | None = None
        self._arns: list[str] = []
        self._addresses: frozenset[str] = frozenset()
        self.healthy = False
        self.impossible = False

    def look(self, calls: int) -> int:
        """Take as many steps as *calls* are enough for; return how many were made."""
        made = 0
        while made < calls and not self.healthy and not self.impossible:
            made += 1
            if not self._step():
                break
        return made

    def _step(self) -> bool:
        """Make one call; return whether there is reason to make the next one at once."""
        if self._checked is None:
            return self._read_definition()
        if not self._arns:
            return self._list()
        if not self._addresses:
            return self._read_tasks()
        return self._ask_target_groups()

    def _read_definition(self) -> bool:
        answer = self._account.ecs.describe_task_definition(taskDefinition=self._target.revision)
        containers = answer["taskDefinition"]["containerDefinitions"]
        self._checked = any(one.get("healthCheck") and one.get("essential", True) for one in containers)
        return True

    def _list(self) -> bool:
        answer = self._account.ecs.list_tasks(cluster=self._cluster, startedBy=self._target.deployment)
        self._arns = answer["taskArns"][: stopped.TASKS_PER_CALL]
        return bool(self._arns)

    def _read_tasks(self) -> bool:
        found = stopped.describe_tasks(self._account.ecs, self._cluster, self._arns)
        well = [one for one in found if one["lastStatus"] == "RUNNING" and self._passes(one)]
        if not any(one["lastStatus"] == "RUNNING" for one in found):
            self._arns = []
        self.healthy = bool(well) and not self._target.target_groups
        self._addresses = frozenset(address for one in well for address in _addresses(one))
        return bool(well)

    def _passes(self, task: Description) -> bool:
        return task.get("healthStatus") == "HEALTHY" or not self._checked

    def _ask_target_groups(self) -> bool:
        """Ask each target group: the same task need not be healthy in all of them, but some task of ours in each."""
        for arn in self._target.target_groups:
            answer = self._account.elbv2.describe_target_health(TargetGroupArn=arn)
            states = {one["Target"]["Id"]: one["TargetHealth"]["State"] for one in answer["TargetHealthDescriptions"]}
            if not any(states.get(one) == "healthy" for one in self._addresses):
                self._addresses = frozenset()
                self._arns = []
                return False
        self.healthy = True
        return False


def _addresses(task: Description) -> list[str]:
    """Return the private addresses of *task*; a target of type `ip` is one of these."""
    details: list[Any] = [detail for one in task.get("attachments", ()) for detail in one.get("details", ())]
    return [one["value"] for one in details if one.get("name") == "privateIPv4Address"]
