"""A release that was left rolling out, brought to its end: `inv watch`.

Its entry in the ledger says what it had registered and which deployments it had started. Those are followed by their
ids, so that one which ECS has rolled back meanwhile is known for what it is; what did not move yet moves now; then come
the scheduled tasks and the proof, as if nobody had been away. No new release begins.

A release that somebody is at work on is only looked at: its rollouts are shown, and nothing is written.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from deploylib import aws, events, observe, refusals, rollout, schedules
from deploylib.errors import (
    ContractError,
    DeployError,
    NotRestoredError,
    RefusedError,
    RolledBackError,
    SupersededError,
)
from deploylib.plan import Plan, ServicePlan
from deploylib.release import moving
from deploylib.release.going_back import images_of
from deploylib.release.model import Release
from deploylib.taskdef import short

if TYPE_CHECKING:
    from collections.abc import Generator

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.ledger import Entry
    from deploylib.observe import Past
    from deploylib.patience import Limit
    from deploylib.plan import LiveService

ROLLING = ("rolling out", "watching", "detached", "scheduling", "proving")


def propose_resumption(environment: Environment, account: Account, *, clock: Clock = time) -> Release:
    """Observe, and return the release that was left rolling out, or that somebody else is rolling out.

    Raises `RefusedError` where there is none, or where it did not come that far; `SupersededError` where somebody else
    has released over it.
    """
    observed_at = clock.monotonic()
    by = aws.guard(account, environment)
    contract = observe.contract(account, environment)
    if not contract.ledger:
        raise ContractError(f"{environment.name} has no ledger, so nothing is known to be left", hint="inv infra.apply")
    past = observe.past(account, contract)
    entry = left_rolling(environment, past)
    live = observe.live(account, contract)
    refusals.refuse_other_way(environment, live)
    limits = observe.limits(account, environment, live)
    plan = Plan(
        environment=environment.name,
        contract=contract,
        commit=entry.commit,
        dirty=entry.dirty,
        release=entry.release,
        images=images_of(entry),
        migration=None,
        services=tuple(onward(environment, one, entry, limits.get(one.key)) for one in live.services),
        action="rollback" if entry.action == "rollback" else "release",
        restores=entry.restores,
        continues=entry,
        irreversible=entry.irreversible,
        schedules=schedules.plan_return(schedules.observe(account, contract), entry.schedules),
    )
    return Release(
        plan=plan,
        environment=environment,
        account=account,
        clock=clock,
        observed_at=observed_at,
        by=by,
        last=past.recent.completed,
        resumes=entry,
        follows=past.holder is not None,
    )


def follow(release: Release) -> Generator[events.Event, str | None, None]:
    """Show the rollouts of a release that somebody else is at work on, to their end; write nothing.

    Raises `RolledBackError`, `NotRestoredError` or `SupersededError`, as it will for whoever is at work on it.
    """
    started, targets = release.clock.monotonic(), moving.targets_to_follow(release)
    for one in targets:
        yield events.RolloutStarted(
            service=one.key, revision=one.revision, deployment=one.deployment, desired=one.desired, attached=True
        )
    settings = release.environment.rollout
    for event in rollout.watch(release.account, release.cluster, targets, settings=settings, clock=release.clock):
        if isinstance(event, events.Event):
            yield event
        elif event.verdict != "done":
            raise _failed(release, event)
    yield events.Noticed(message="every rollout that had begun is over; whoever is at work on the release goes on")
    yield events.Completed(
        seconds=release.clock.monotonic() - started,
        calls=release.account.calls.total(),
        url=release.plan.contract.url,
        services=tuple(one.key for one in targets),
    )


def _failed(release: Release, outcome: rollout.Outcome) -> DeployError:
    kinds: dict[str, type[DeployError]] = {"rolled back": RolledBackError, "superseded": SupersededError}
    what = f"{outcome.target.key}: {outcome.verdict}: {outcome.reason.rstrip('.')}"
    return kinds.get(outcome.verdict, NotRestoredError)(
        f"{what}; this only looked on", hint=f"inv status --env {release.plan.environment}"
    )


def left_rolling(environment: Environment, past: Past) -> Entry:
    """Return the release that was left rolling out."""
    name = environment.name
    if past.holder:
        return _at_work(environment, past)
    if not past.abandoned:
        raise RefusedError(f"{name}: no release was left half done", hint=f"inv status --env {name}")
    entry = past.abandoned[0]
    if entry.phase == "going back":
        raise RefusedError(
            f"release {entry.number} was left on its way back", hint=f"inv rollback --env {name}, which finishes that"
        )
    if entry.phase not in ROLLING:
        raise RefusedError(
            f"release {entry.number} was left {entry.phase}: none of its services had moved",
            hint=f"inv deploy --env {name}, or inv rollback --env {name}",
        )
    return entry


def _at_work(environment: Environment, past: Past) -> Entry:
    """Return the release that the lock's holder is rolling out."""
    rolling = [one for one in past.recent.unfinished if one.phase in ROLLING and one.deployments]
    if past.holder and not rolling:
        raise RefusedError(
            f"{past.holder.name} is at work on {environment.name} since {past.holder.since}: {past.holder.reason}; "
            "no service has moved yet",
            hint=f"inv status --env {environment.name}",
        )
    return rolling[0]


def _made(live: LiveService, wanted: str) -> str:
    """Return the deployment of CodeDeploy that brings *wanted*, where the run died before it could write that down."""
    return live.deployment if live.strategy == "codedeploy" and live.revision == wanted else ""


def onward(environment: Environment, live: LiveService, entry: Entry, limit: Limit | None) -> ServicePlan:
    """Return what is left to do for one service (pure)."""
    wanted, before = entry.services.get(live.key, live.revision), entry.previous.get(live.key, "")
    started = entry.deployments.get(live.key, "") or _made(live, wanted)
    if live.revision not in (wanted, before) and not started:
        raise SupersededError(
            f"{live.key} runs {short(live.revision)} by now, and release {entry.number} is {short(wanted)}",
            hint=f"inv deploy --env {environment.name}",
        )
    moves = live.key in entry.previous
    follows = moves and (bool(started) or live.revision == wanted)
    return ServicePlan(
        key=live.key,
        name=live.contract.name,
        family=live.contract.family,
        action="attach" if follows else "restore" if moves else "unchanged",
        reason="was left rolling out" if follows else "did not move yet" if moves else "is not part of it",
        based_on=live.revision,
        returns_to=before or live.returns_to,
        template=live.template,
        images=live.contract.containers,
        deployment=started,
        revision=wanted if moves else "",
        desired_count=live.contract.desired_count if live.first and not follows else None,
        first=bool(before) and live.contract.template == before,
        desired=live.desired,
        running=live.running,
        after=environment.policy(live.key).after,
        limit=limit,
        strategy=live.strategy,
        course=live.course,
    )
