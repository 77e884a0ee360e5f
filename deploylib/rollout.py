"""Rollouts watched to the last old task.

What ECS calls stable is not yet deployed, and what it calls deployed may be a roll-back. So a rollout is followed by
the id of *our* deployment, the one that UpdateService returned, and ends in one of these verdicts:

* **done**: our deployment is COMPLETED, still PRIMARY, and no task of an older revision is anything but STOPPED.
  ListTasks shows only tasks that ECS wants to run unless it is asked for desiredStatus=STOPPED; those that are
  still draining or stopping are found there, by their lastStatus.
* **rolled back**: the circuit breaker failed our deployment and returns to the former revision by itself.
* **failed**: the breaker failed it and does not roll back, or more tasks failed than `rollout.failed_tasks` allows.
* **superseded**: another deployment is PRIMARY now, and not because of a roll-back.
* **timed out**: none of these within `rollout.timeout_seconds`.

All services of a release are watched together: one DescribeServices for ten of them per look, and the tasks are only
listed when a count says that there is something to see.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from deploylib import events, stopped
from deploylib.errors import AwsError

if TYPE_CHECKING:
    import datetime as dt

    from types_boto3_ecs.client import ECSClient

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import Rollout

Verdict = Literal["done", "rolled back", "failed", "superseded", "timed out", "not drained"]
Description = Mapping[str, Any]

SERVICES_PER_CALL = 10
LIMIT_SECONDS = 900.0
SHORTEST = 16  # pauses are at least this part of `rollout.poll_seconds`
SLOWEST_SECONDS = 10.0
PATIENCE_LOOKS = 5
CONSISTENT_SECONDS = 30.0
DRAINING_SECONDS = 5.0
DEPLOYMENT = "ecs-svc/"  # how ECS begins the id of a deployment, which it starts tasks by


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One service to follow: *deployment* is ours, of *revision*; *previous* is the revision that it replaces.

    `former` are the deployments that were there when ours was made, `known_events` the events. `expected_seconds` is
    how long the former rollout took, zero when that is not known.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What one look at a service says: where it stands, and the verdict if there is one already."""

    standing: events.Standing
    verdict: Verdict | None = None
    reason: str = ""


def watch(
    account: Account, cluster: str, targets: Sequence[Target], *, settings: Rollout, clock: Clock
) -> Iterator[events.Event | Outcome]:
    """Follow *targets* until each is done or one has failed; yield progress, and each `Outcome` as it is known.

    After a failure the outcomes of the others are not waited for: the release decides what happens to them.
    """
    started = clock.monotonic()
    deadline = started + (settings.timeout_seconds or LIMIT_SECONDS)
    open_targets, looks = list(targets), _Looks(account.ecs, cluster, clock)
    shown: tuple[events.Standing, ...] = ()
    pauses, draining = _pauses(settings.poll_seconds, first=_first_pause(targets, settings.poll_seconds)), False
    while True:
        clock.sleep(min(next(pauses), max(0.0, deadline - clock.monotonic())))
        seen = looks.at(open_targets, settings)
        if not draining and seen and all(look.standing.state == "draining" for look in seen.values()):
            pauses, draining = _pauses(settings.poll_seconds, first=settings.poll_seconds / SHORTEST), True
        standings = tuple(look.standing for look in seen.values())
        if standings != shown:
            shown = standings
            yield events.Progressed(services=standings)
        overdue = clock.monotonic() >= deadline
        for target in tuple(open_targets):
            outcome = _outcome(target, seen.get(target.key), overdue=overdue, settings=settings)
            if outcome is None:
                continue
            open_targets.remove(target)
            if outcome.verdict == "done":
                yield events.Drained(service=target.key, seconds=clock.monotonic() - started)
            yield outcome
            if outcome.verdict != "done":
                return
        if not open_targets:
            return


def watch_restored(
    account: Account, cluster: str, targets: Sequence[Target], *, settings: Rollout, clock: Clock
) -> Iterator[events.Event]:
    """Follow *targets* (their `revision` is the one to return to) until each serves it again.

    Yields `Restored` for each that does; one that has not within the time limit is left out.
    """
    deadline = clock.monotonic() + (settings.timeout_seconds or LIMIT_SECONDS)
    left = list(targets)
    for pause in _pauses(settings.poll_seconds, first=settings.poll_seconds / SHORTEST):
        described = describe(account.ecs, cluster, [one.name for one in left])
        for target in tuple(left):
            if _serves(described.get(target.name, {}), target.revision):
                left.remove(target)
                yield events.Restored(service=target.key, revision=target.revision)
        if not left or clock.monotonic() >= deadline:
            return
        clock.sleep(pause)


def describe(ecs: ECSClient, cluster: str, names: Sequence[str]) -> dict[str, Description]:
    """Return the description of each service by name, ten per call; services that ECS does not have are left out."""
    found: dict[str, Description] = {}
    for at in range(0, len(names), SERVICES_PER_CALL):
        answer = ecs.describe_services(cluster=cluster, services=list(names[at : at + SERVICES_PER_CALL]))
        found |= {one["serviceName"]: one for one in answer["services"] if one.get("status") == "ACTIVE"}
    return found


def target(key: str, description: Description, *, previous: str) -> Target:
    """Return what to follow after UpdateService answered with *description*."""
    primary = _primary(description)
    return Target(
        key=key,
        name=description["serviceName"],
        deployment=primary["id"],
        revision=primary["taskDefinition"],
        previous=previous,
        desired=int(description.get("desiredCount", 0)),
        former=frozenset(one["id"] for one in description["deployments"] if one is not primary),
        known_events=frozenset(one["id"] for one in description.get("events", ())),
        expected_seconds=max((_seconds(one) for one in description["deployments"] if one is not primary), default=0.0),
    )


class _Looks:
    """Looks at services; remembers the former look, so that a passing fault of the API costs nothing.

    ECS is eventually consistent: right after UpdateService a description may still be without our deployment. Until
    it was seen once, its absence says nothing (for half a minute). While nothing is left to do but to wait for old
    tasks, these are asked for, and the services themselves only now and then.
    """

    def __init__(self, ecs: ECSClient, cluster: str, clock: Clock) -> None:
        self._ecs = ecs
        self._clock = clock
        self._consistent_at = clock.monotonic() + CONSISTENT_SECONDS
        self._cluster = cluster
        self._missed = 0
        self._described: dict[str, Description] = {}
        self._described_at = 0.0
        self._last: dict[str, _Look] = {}
        self._seen: set[str] = set()
        self._leaving: dict[str, list[str]] = {}

    def at(self, targets: Sequence[Target], settings: Rollout) -> dict[str, _Look]:
        """Return a look at each target; the former one while AWS throttles us or does not answer."""
        try:
            self._describe(targets)
            self._last |= {one.key: self._look(one, self._described.get(one.name), settings) for one in targets}
            self._missed = 0
        except AwsError as error:
            self._missed += 1
            if not error.transient or self._missed > PATIENCE_LOOKS:
                raise
        return {one.key: self._last[one.key] for one in targets if one.key in self._last}

    def _describe(self, targets: Sequence[Target]) -> None:
        now = self._clock.monotonic()
        if now - self._described_at < DRAINING_SECONDS and all(one.key in self._leaving for one in targets):
            return
        self._described = describe(self._ecs, self._cluster, [one.name for one in targets])
        self._described_at = now

    def _look(self, target: Target, description: Description | None, settings: Rollout) -> _Look:
        ids = {one["id"] for one in (description or {}).get("deployments", ())}
        if target.deployment in ids:
            self._seen.add(target.key)
        if target.key not in self._seen and description is not None and self._clock.monotonic() < self._consistent_at:
            return _Look(standing=_standing(target, description, {}))
        look = assess(target, description, failed_tasks=settings.failed_tasks)
        if look.verdict != "done":
            return look
        draining = self._draining(target)
        if not draining:
            return look
        standing = replace(look.standing, old=draining, state="draining")
        return _Look(standing=standing)

    def _draining(self, target: Target) -> int:
        """Return how many tasks of older revisions are on their way out but not STOPPED. None joins them any more."""
        arns = self._leaving.get(target.key)
        tasks = stopped.describe_tasks(self._ecs, self._cluster, self._on_their_way(target) if arns is None else arns)
        old = [one for one in tasks if _is_older(one, target) and one["lastStatus"] != "STOPPED"]
        self._leaving[target.key] = [one["taskArn"] for one in old]
        return len(old)

    def _on_their_way(self, target: Target) -> list[str]:
        pages = self._ecs.get_paginator("list_tasks").paginate(
            cluster=self._cluster, serviceName=target.name, desiredStatus="STOPPED"
        )
        return [arn for page in pages for arn in page["taskArns"]]


def assess(target: Target, description: Description | None, *, failed_tasks: int) -> _Look:
    """Judge one service from its description alone (pure); `done` still wants the proof that the old tasks are gone."""
    if description is None:
        return _Look(standing=_standing(target, {}, {}), verdict="failed", reason="the service is gone")
    primary = _primary(description)
    ours = next((one for one in description["deployments"] if one["id"] == target.deployment), None)
    standing = _standing(target, description, ours or {})
    if ours is None or ours["status"] != "PRIMARY" or ours.get("rolloutState") == "FAILED":
        return _lost(target, description, ours, primary, standing)
    if standing.failed >= failed_tasks and ours.get("rolloutState") != "COMPLETED":
        reason = f"gave up after {standing.failed} failed tasks"
        return _Look(standing=standing, verdict="failed", reason=reason)
    reached = ours.get("rolloutState") == "COMPLETED" and standing.running >= standing.desired
    return _Look(standing=standing, verdict="done" if reached and not standing.old else None)


def _lost(
    target: Target, description: Description, ours: Any, primary: Description, standing: events.Standing
) -> _Look:
    """Tell a roll-back, a failure and another deployment apart, once ours is no longer on its way."""
    failed = ours is not None and ours.get("rolloutState") == "FAILED"
    back = ours is None and _is_rollback(target, primary)
    if failed or back:
        breaker = (description.get("deploymentConfiguration") or {}).get("deploymentCircuitBreaker") or {}
        verdict: Verdict = "rolled back" if back or breaker.get("rollback") else "failed"
        reason = (ours or {}).get("rolloutStateReason") or "ECS returned to the former revision"
        return _Look(standing=standing, verdict=verdict, reason=str(reason))
    taker = f"deployment {primary.get('id', '?')} of {_short(str(primary.get('taskDefinition', '?')))}"
    return _Look(standing=standing, verdict="superseded", reason=f"{taker} took over")


def _is_rollback(target: Target, primary: Description) -> bool:
    """Tell the breaker's return to the former revision from somebody else's update to it."""
    by_breaker = primary.get("id") in target.former or "roll" in str(primary.get("rolloutStateReason", ""))
    return by_breaker and primary.get("taskDefinition") == target.previous


def _is_older(task: Description, target: Target) -> bool:
    """Whether *task* is of another deployment; a restart rolls the same revision out anew."""
    by = str(task.get("startedBy", ""))
    others = by.startswith(DEPLOYMENT) and target.deployment.startswith(DEPLOYMENT) and by != target.deployment
    return task["taskDefinitionArn"] != target.revision or others


def _standing(target: Target, description: Description, ours: Description) -> events.Standing:
    others = [one for one in description.get("deployments", ()) if one["id"] != target.deployment]
    fresh = [one for one in description.get("events", ()) if one["id"] not in target.known_events]
    return events.Standing(
        service=target.key,
        desired=int(ours.get("desiredCount", description.get("desiredCount", 0))),
        running=int(ours.get("runningCount", 0)),
        pending=int(ours.get("pendingCount", 0)),
        failed=int(ours.get("failedTasks", 0)),
        old=sum(int(one.get("runningCount", 0)) + int(one.get("pendingCount", 0)) for one in others),
        state=str(ours.get("rolloutState", "not seen")).lower().replace("_", " "),
        message=str(fresh[0]["message"]) if fresh else "",
    )


def _outcome(target: Target, look: _Look | None, *, overdue: bool, settings: Rollout) -> Outcome | None:
    if look is None:
        reason = f"ECS has not answered within {settings.timeout_seconds or LIMIT_SECONDS:g} s"
        return Outcome(target=target, verdict="timed out", reason=reason) if overdue else None
    if look.verdict is not None:
        return Outcome(target=target, verdict=look.verdict, reason=look.reason)
    if not overdue:
        return None
    if look.standing.state == "draining":
        reason = f"the new revision serves, but {look.standing.old} tasks of older revisions have not stopped"
        return Outcome(
            target=target,
            verdict="not drained",
            reason=f"{reason} within {settings.timeout_seconds or LIMIT_SECONDS:g} s",
        )
    state = look.standing
    counts = f"{state.running} of {state.desired} tasks run, {state.pending} pending, {state.failed} failed"
    reason = f"not done within {settings.timeout_seconds or LIMIT_SECONDS:g} s: {counts}"
    return Outcome(target=target, verdict="timed out", reason=f"{reason}. {state.message}".rstrip(". "))


def _serves(description: Description, revision: str) -> bool:
    primary = _primary(description)
    return bool(
        primary.get("taskDefinition") == revision
        and primary.get("rolloutState") == "COMPLETED"
        and primary.get("runningCount", 0) >= description.get("desiredCount", 0)
    )


def _primary(description: Description) -> Description:
    return next((one for one in description.get("deployments", ()) if one["status"] == "PRIMARY"), {})


def _seconds(deployment: Description) -> float:
    """Return how long *deployment* took, if it is complete. (Scaled later, it seems to have taken longer.)"""
    if deployment.get("rolloutState") != "COMPLETED":
        return 0.0
    took: dt.timedelta = deployment["updatedAt"] - deployment["createdAt"]
    return max(0.0, took.total_seconds())


def _first_pause(targets: Sequence[Target], seconds: float) -> float:
    """Return when to look first: rollouts of a service resemble each other, so when the former ones would be over."""
    expected = [one.expected_seconds for one in targets]
    return min(seconds, max(expected) + seconds / SHORTEST) if expected and all(expected) else seconds


def _pauses(seconds: float, *, first: float) -> Iterator[float]:
    """Yield the pauses between looks: a quarter of the time so far, but hardly ever more than *seconds*.

    So what takes a moment is not waited for much longer than a moment, with few looks. A rollout that takes minutes is
    looked at ever more slowly, up to every ten seconds.
    """
    pause, elapsed = first, 0.0
    while True:
        yield pause
        elapsed += pause
        pause = min(max(elapsed / 4, seconds / SHORTEST), max(seconds, min(elapsed / 20, SLOWEST_SECONDS)))


def _short(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]
