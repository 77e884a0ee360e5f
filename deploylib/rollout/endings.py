"""The tasks that ECS wants stopped, read within a budget of calls: older ones that drain, and ours that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from deploylib import stopped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_ecs.client import ECSClient

    from deploylib.rollout.targets import Description, Target

STOPPED: Literal["STOPPED"] = "STOPPED"


class Endings:
    """What is known of tasks on their way out. A call that AWS refuses leaves everything as it was."""

    def __init__(self, ecs: ECSClient, cluster: str) -> None:
        self._ecs = ecs
        self._cluster = cluster
        self._tasks: dict[str, Description] = {}
        self._unread: dict[str, None] = {}

    @property
    def unread(self) -> bool:
        """Whether tasks were listed that nobody has looked at yet."""
        return bool(self._unread)

    def search(self, targets: Sequence[Target], *, calls: int) -> int:
        """List what ends of *targets*; return how many calls that took (a page of a hundred counts as none).

        Where *calls* are not enough for one each and one for the tasks themselves, all of the cluster is listed.
        """
        services = [{"serviceName": one.name} for one in targets] if len(targets) < calls else [{}]
        for one in services:
            pages = self._ecs.get_paginator("list_tasks").paginate(
                cluster=self._cluster,
                desiredStatus=STOPPED,
                **one,  # type: ignore[arg-type]  # one keyword or none
            )
            self._note([arn for page in pages for arn in page["taskArns"]])
        return len(services)

    def _note(self, arns: Sequence[str]) -> None:
        for arn in arns:
            if arn not in self._tasks or self._tasks[arn]["lastStatus"] != STOPPED:
                self._unread[arn] = None

    def leaving(self, target: Target) -> list[str]:
        """Return the ARNs of the tasks of older deployments of *target* that are not STOPPED yet."""
        return [
            arn
            for arn, one in self._tasks.items()
            if _is_of(target, one) and target.is_older(one) and one["lastStatus"] != STOPPED
        ]

    def ended(self, target: Target) -> list[Description]:
        """Return the tasks of our deployment that ECS wants stopped."""
        return [
            one for one in self._tasks.values() if _is_of(target, one) and one.get("startedBy") == target.deployment
        ]

    def look_again(self, target: Target) -> None:
        """Have the older tasks that still end read at the next chance."""
        self._note(self.leaving(target))

    def read(self, *, calls: int) -> int:
        """Read tasks that were listed, a hundred per call; return how many calls were made."""
        made = 0
        while self._unread and made < calls:
            arns = list(self._unread)[: stopped.TASKS_PER_CALL]
            made += 1
            found = stopped.describe_tasks(self._ecs, self._cluster, arns)
            for arn in arns:
                del self._unread[arn]
                self._tasks.pop(arn, None)  # what ECS has forgotten is gone
            self._tasks |= {one["taskArn"]: one for one in found}
        return made


def _is_of(target: Target, task: Description) -> bool:
    return str(task.get("group", "")) == f"service:{target.name}"
