"""Looks at services: what is read when, and what a fault of the network or of AWS costs (a look, not the release).

Each look has `READS` calls. The services come first, ten per call; then the tasks that end, when something says that
there are any to see; then, every quarter of a minute, the service deployments. What does not fit waits for the next
look. While nothing is left to do but to wait for old tasks, these are read, and the services only now and then.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deploylib.errors import AwsError
from deploylib.rollout import assessment
from deploylib.rollout.assessment import Look
from deploylib.rollout.endings import Endings
from deploylib.rollout.targets import SERVICES_PER_CALL, Description, Target, describe_some
from deploylib.service_deployments import ServiceDeployments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import Rollout

READS = 3
CONSISTENT_SECONDS = 30.0
DRAINING_SECONDS = 5.0
RECORDS_SECONDS = 15.0
ANYWAY_SECONDS = 60.0
SILENCE_SECONDS = 180.0


@dataclass(slots=True)
class _Known:
    """What is known of one target beside its description.

    `hints` at the last look and when its ending tasks were last listed say whether to list them again; `proving` is
    whether they were listed since the deployment was complete: then no older task joins them any more.
    """

    seen: bool = False
    described_at: float = -1.0
    running: int = 0
    falls: int = 0
    hints: tuple[int, ...] = ()
    listed_at: float = 0.0
    proving: bool = False


class Looks:
    """Looks at services, remembering what was read before.

    ECS is eventually consistent: right after UpdateService a description may still be without our deployment. Until
    it was seen once, its absence says nothing (for half a minute).
    """

    def __init__(self, account: Account, cluster: str, clock: Clock) -> None:
        self._ecs = account.ecs
        self._cluster = cluster
        self._clock = clock
        self._endings = Endings(account.ecs, cluster)
        self._records = ServiceDeployments(ecs=account.ecs, cluster=cluster)
        self._descriptions: dict[str, Description | None] = {}
        self._known: dict[str, _Known] = {}
        self._consistent_at: dict[str, float] = {}
        self._answered_at = clock.monotonic()
        self._records_at = clock.monotonic()
        self._left, self._look_at = READS, clock.monotonic()
        self.missed = 0

    @property
    def left(self) -> int:
        """How many calls of this look nobody has made yet."""
        return self._left

    @property
    def refused(self) -> str:
        """What to say of service deployments that may not be read."""
        return self._records.refused

    def at(self, targets: Sequence[Target], settings: Rollout) -> dict[str, Look]:
        """Return a look at each target that was read at least once; the former one while AWS does not answer.

        Raises `AwsError` when that lasts, and at once when AWS refuses.
        """
        self._left, self._look_at = READS, self._clock.monotonic()
        faults = int(not self._endure(self._describe, targets))
        counted = {one.key: self._endings.ended(one) for one in targets}
        for step in (self._list, self._read, self._confirm):
            faults += not self._endure(step, targets)
        self._read_records(targets)
        self.missed = self.missed + 1 if faults else 0
        return {
            one.key: self._look(one, counted[one.key], settings) for one in targets if one.name in self._descriptions
        }

    def is_fresh(self, target: Target) -> bool:
        """Whether the last look at *target* is younger than what AWS has not answered since."""
        known = self._known.get(target.key)
        return known is not None and known.described_at >= self._clock.monotonic() - DRAINING_SECONDS

    def _endure(self, step: Callable[[Sequence[Target]], None], targets: Sequence[Target]) -> bool:
        """Take one step of a look; return False when AWS throttled us or did not answer."""
        try:
            step(targets)
        except AwsError as error:
            silent = self._clock.monotonic() - self._answered_at
            if not error.transient or silent > SILENCE_SECONDS:
                raise
            return False
        return True

    # Services

    def _describe(self, targets: Sequence[Target]) -> None:
        now = self._clock.monotonic()
        for one in targets:
            self._known.setdefault(one.key, _Known())
            self._consistent_at.setdefault(one.key, now + CONSISTENT_SECONDS)
        self._describe_all([one for one in targets if self._is_due(one)])
        self._left = max(1, self._left)

    def _confirm(self, targets: Sequence[Target]) -> None:
        """Describe anew what has no older task left, if that was not done in this look: a new one may have crashed."""
        over = [one for one in targets if self._is_proved(one) and self._known[one.key].described_at < self._look_at]
        if self._left * SERVICES_PER_CALL >= len(over):
            self._describe_all(over)

    def _is_proved(self, target: Target) -> bool:
        """Whether no task of an older deployment is left."""
        return self._known[target.key].proving and not self._endings.unread and not self._endings.leaving(target)

    def _describe_all(self, due: Sequence[Target]) -> None:
        now, fault = self._clock.monotonic(), None
        for at in range(0, len(due), SERVICES_PER_CALL):
            some = due[at : at + SERVICES_PER_CALL]
            self._left -= 1
            try:
                found = describe_some(self._ecs, self._cluster, [one.name for one in some])
            except AwsError as error:
                fault = error
                continue
            self._answered_at = now
            for one in some:
                self._notice(one, found.get(one.name))
        if fault:
            raise fault

    def _is_due(self, target: Target) -> bool:
        known = self._known[target.key]
        only_draining = known.proving and (self._endings.unread or self._endings.leaving(target))
        return not only_draining or self._clock.monotonic() - known.described_at >= DRAINING_SECONDS

    def _notice(self, target: Target, description: Description | None) -> None:
        known = self._known[target.key]
        known.described_at = self._clock.monotonic()
        self._descriptions[target.name] = description
        ours = _ours(target, description)
        if ours is None:
            return
        known.seen = True
        running = int(ours.get("runningCount", 0))
        known.falls += running < min(known.running, int(ours.get("desiredCount", 0)))
        known.running = running

    # Tasks

    def _list(self, targets: Sequence[Target]) -> None:
        wanted = [one for one in targets if self._is_to_list(one)]
        if not wanted or self._left <= 0:
            return
        made = self._endings.search(wanted, calls=self._left)
        self._left -= made
        for one in wanted if made == len(wanted) else targets:
            known = self._known[one.key]
            known.listed_at, known.hints = self._clock.monotonic(), self._hints(one)
            known.proving = known.proving or self._is_complete(one)

    def _is_to_list(self, target: Target) -> bool:
        known, hints = self._known[target.key], self._hints(target)
        if not known.seen:
            return False
        if self._is_complete(target) and not known.proving:
            return True
        return hints != known.hints or (
            not known.proving and self._clock.monotonic() - max(known.listed_at, self._began(target)) > ANYWAY_SECONDS
        )

    def _began(self, target: Target) -> float:
        return self._consistent_at[target.key] - CONSISTENT_SECONDS

    def _hints(self, target: Target) -> tuple[int, ...]:
        """Return what says that tasks of ours have ended; empty when nothing does."""
        description = self._descriptions.get(target.name)
        ours = _ours(target, description)
        if ours is None or description is None:
            return ()
        desired = max(target.desired, int(ours.get("desiredCount", 0)))
        found = (
            int(ours.get("failedTasks", 0)),
            max(0, assessment.started_tasks(target, description) - desired),
            self._known[target.key].falls,
        )
        return found if any(found) else ()

    def _is_complete(self, target: Target) -> bool:
        """Whether ECS calls our deployment complete, and it runs all that is wanted and nothing older."""
        description = self._descriptions.get(target.name)
        ours = _ours(target, description)
        if ours is None or description is None or ours["status"] != "PRIMARY":
            return False
        state = assessment.standing(target, description, ours)
        return state.state == "completed" and state.running >= state.desired and not state.old

    def _read(self, targets: Sequence[Target]) -> None:
        if not self._endings.unread:
            for one in targets:
                if self._known[one.key].proving:
                    self._endings.look_again(one)
        if self._endings.unread and self._left > 0:
            self._left -= self._endings.read(calls=self._left)

    # Service deployments

    def _read_records(self, targets: Sequence[Target]) -> None:
        """Ask now and then, and at once for what was lost: was that a roll-back, and why?"""
        now = self._clock.monotonic()
        lost = [one for one in targets if self._is_lost(one)]
        if lost:
            self._records.read(lost, calls=max(2, self._left))
        elif now - self._records_at >= RECORDS_SECONDS and self._left > 0:
            under_way = [one for one in targets if not self._known[one.key].proving]
            made = self._records.read(under_way, calls=self._left)
            if made < self._left:
                self._records_at = now
            self._left -= made

    # Looking

    def _is_lost(self, target: Target) -> bool:
        description = self._descriptions.get(target.name)
        if description is None or not self._known[target.key].seen:
            return False
        ours = _ours(target, description)
        return ours is None or ours["status"] != "PRIMARY" or ours.get("rolloutState") == "FAILED"

    def _look(self, target: Target, counted: Sequence[Description], settings: Rollout) -> Look:
        """Judge *target* by the failures that were *counted* before its description: ECS may have given up by then."""
        description, known = self._descriptions[target.name], self._known[target.key]
        if not known.seen and description is not None and self._clock.monotonic() < self._consistent_at[target.key]:
            return Look(standing=assessment.standing(target, description, {}))
        judge = functools.partial(
            assessment.assess, target, description, settings=settings, record=self._records.of(target)
        )
        look = judge(tasks=counted)
        if look.verdict != "done":
            return look
        leaving = len(self._endings.leaving(target))
        if self._is_proved(target) and known.described_at >= self._look_at:
            return look if judge(tasks=self._endings.ended(target)).verdict == "done" else replace(look, verdict=None)
        draining = replace(look.standing, old=leaving, state="draining")
        return replace(look, standing=draining, verdict=None)


def _ours(target: Target, description: Description | None) -> Description | None:
    deployments = (description or {}).get("deployments", ())
    return next((one for one in deployments if one["id"] == target.deployment), None)
