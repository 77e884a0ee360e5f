"""Looks at services that CodeDeploy moves, beside those that ECS rolls out: one watch, and one verdict, for both.

A look is one BatchGetDeployments for all, one DescribeServices for ten, and one GetDeploymentTarget for each that is
under way. Tasks that ended are read now and then while new ones start, because CodeDeploy goes on trying for an hour;
and once it calls the deployment a success, until no older one is anything but STOPPED.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploylib import rollout
from deploylib.bluegreen import deployments, judging
from deploylib.errors import AwsError
from deploylib.rollout import assessment, endings, reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import Rollout
    from deploylib.rollout import Description, Look, Target

TASKS_SECONDS = 10.0
FRESH_SECONDS = 5.0
READS = 3
NOT_STARTED = frozenset({"DeploymentNotStartedException", "DeploymentTargetDoesNotExistException"})


class Looks:
    """Looks at all services of a release, whoever moves them; see `rollout.watch`."""

    def __init__(self, account: Account, cluster: str, clock: Clock) -> None:
        self._rolling = reading.Looks(account, cluster, clock)
        self._switching = _Deployments(account, cluster, clock)

    @property
    def left(self) -> int:
        """How many calls of this look nobody has made yet."""
        return self._rolling.left

    @property
    def refused(self) -> str:
        """What to say of service deployments that may not be read."""
        return self._rolling.refused

    @property
    def missed(self) -> int:
        """How many looks in a row AWS has not answered."""
        return max(self._rolling.missed, self._switching.missed)

    def at(self, targets: Sequence[Target], settings: Rollout) -> dict[str, Look]:
        """Return a look at each target that was read at least once."""
        switching = [one for one in targets if one.by_codedeploy]
        rolling = [one for one in targets if not one.by_codedeploy]
        seen = self._rolling.at(rolling, settings) if rolling or not switching else {}
        return {**seen, **(self._switching.at(switching, settings) if switching else {})}

    def is_fresh(self, target: Target) -> bool:
        """Whether the last look at *target* is younger than what AWS has not answered since."""
        return (self._switching if target.by_codedeploy else self._rolling).is_fresh(target)


@dataclass(slots=True, kw_only=True)
class _Known:
    """What was read of one deployment; tasks that ended were last listed then."""

    look: Look | None = None
    at: float = -1.0
    listed_at: float = -TASKS_SECONDS
    proving: bool = False
    set_id: str = ""


@dataclass(slots=True)
class _Deployments:
    """Looks at deployments of CodeDeploy; what AWS does not answer for a moment leaves the former look."""

    account: Account
    cluster: str
    clock: Clock
    missed: int = 0
    _answered_at: float = -1.0
    _known: dict[str, _Known] = field(default_factory=dict)
    _endings: endings.Endings | None = None

    def at(self, targets: Sequence[Target], settings: Rollout) -> dict[str, Look]:
        """Return a look at each target; raise `AwsError` when AWS refuses, or does not answer for long."""
        now = self.clock.monotonic()
        if self._answered_at < 0:
            self._answered_at = now
        try:
            self._read(targets, settings)
        except AwsError as error:
            if not error.transient or now - self._answered_at > reading.SILENCE_SECONDS:
                raise
            self.missed += 1
        else:
            self.missed, self._answered_at = 0, now
        known = {one.key: self._of(one).look for one in targets}
        return {key: look for key, look in known.items() if look is not None}

    def is_fresh(self, target: Target) -> bool:
        return self._of(target).at >= self.clock.monotonic() - FRESH_SECONDS

    def _of(self, target: Target) -> _Known:
        return self._known.setdefault(target.key, _Known())

    def _read(self, targets: Sequence[Target], settings: Rollout) -> None:
        infos = {
            str(one["deploymentId"]): one
            for one in deployments.described(self.account, tuple(one.deployment for one in targets))
        }
        described = rollout.describe(self.account.ecs, self.cluster, [one.name for one in targets])
        for one in targets:
            if one.deployment in infos and one.name in described:
                self._look(one, infos[one.deployment], described[one.name], settings)

    def _look(self, target: Target, info: Description, description: Description, settings: Rollout) -> None:
        known, ours = self._of(target), judging.replacement(target, description)
        known.set_id = str(ours.get("id", known.set_id))
        facts = judging.Facts(info=info, progress=self._progress(target), description=description)
        if info.get("status") == "Succeeded":
            leaving, proven = self._drained(target)
            facts = replace(facts, leaving=leaving, proven=proven)
        elif info.get("status") not in deployments.UNDER_WAY:
            facts = replace(facts, others=deployments.strangers(self.account, info))
        look = judging.assess(target, facts)
        if look.verdict is None and judging.installing(facts):
            look = self._given_up(target, look, settings)
        known.look, known.at = look, self.clock.monotonic()

    def _progress(self, target: Target) -> Mapping[str, object]:
        """Return how far the service is in its deployment; nothing before CodeDeploy has begun."""
        name = f"{self.cluster.rpartition('/')[2]}:{target.name}"
        try:
            answer = self.account.codedeploy.get_deployment_target(deploymentId=target.deployment, targetId=name)
        except AwsError as error:
            if error.code not in NOT_STARTED:
                raise
            return {}
        found: Mapping[str, object] = answer["deploymentTarget"].get("ecsTarget") or {}
        return found

    # Tasks

    def _ends(self) -> endings.Endings:
        if self._endings is None:
            self._endings = endings.Endings(self.account.ecs, self.cluster)
        return self._endings

    def _drained(self, target: Target) -> tuple[int, bool]:
        """Return how many older tasks have not stopped, and whether that is the whole truth."""
        known, ends = self._of(target), self._ends()
        placed = replace(target, deployment=known.set_id or target.deployment)
        if known.proving:
            ends.look_again(placed)
        else:
            ends.search([placed], calls=READS)
            known.proving = True
        ends.read(calls=READS)
        return len(ends.leaving(placed)), not ends.unread

    def _given_up(self, target: Target, look: Look, settings: Rollout) -> Look:
        """Give up once tasks end the same way again and again, as `rollout` does."""
        known, now, ends = self._of(target), self.clock.monotonic(), self._ends()
        if not known.set_id or now - known.listed_at < TASKS_SECONDS:
            return look
        known.listed_at, placed = now, replace(target, deployment=known.set_id)
        ends.search([placed], calls=READS)
        ends.read(calls=READS)
        failures = assessment.failures(ends.ended(placed))
        look = replace(look, standing=replace(look.standing, failed=len(failures)))
        reason = assessment.given_up(failures, len(failures), settings)
        return replace(look, verdict="failed", reason=reason) if reason else look
