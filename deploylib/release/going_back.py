"""Back to a release that completed: not the revision before, which may never have worked, but what a person relied on.

What serves is found by its revisions, not by its place in the ledger: the newest release that completed and that the
services run. Without one (a rollout is under way, was left half done, or somebody changed the services by hand) the way
back leads to the newest that completed; else to the one before it, also when what serves is itself a way back.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from deploylib import aws, ledger, observe, refusals, schedules, taskdef
from deploylib.errors import ConfigError, ContractError, RefusedError
from deploylib.images.planning import ImagePlan
from deploylib.images.recipe import BASE
from deploylib.plan import Plan, ServicePlan
from deploylib.release.model import Release, name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.ledger import Entry
    from deploylib.observe import Past
    from deploylib.patience import Limit
    from deploylib.plan import Live, LiveService

LOOK_BACK = 100


def propose_rollback(
    environment: Environment,
    account: Account,
    *,
    to: str = "",
    over_irreversible: bool = False,
    clock: Clock = time,
) -> Release:
    """Observe, and return what brings the services back to release *to*, else to the last good one before what serves.

    A release that is under way is stopped by it. Raises `RefusedError` where there is nothing to go back to, for a
    release that did not complete, and over a migration that cannot be undone unless *over_irreversible*.
    """
    observed_at = clock.monotonic()
    by = aws.guard(account, environment)
    contract = observe.contract(account, environment)
    if not contract.ledger:
        raise ContractError(f"{environment.name} has no ledger, so nobody knows what completed", hint="inv infra.apply")
    live, past = observe.live(account, contract), observe.past(account, contract)
    refusals.refuse_other_way(environment, live)
    target = _target(environment, account, live, past, to=parse(to), over_irreversible=over_irreversible)
    found = observe.definitions(account.ecs, tuple(target.services.values()))
    refuse_inactive(target, found, environment.name)
    services = plan_return(live, target, found, observe.limits(account, environment, live))
    plan = Plan(
        environment=environment.name,
        contract=contract,
        commit=target.commit,
        dirty=target.dirty,
        release=name_of(target.commit, clock),
        images=images_of(target),
        migration=None,
        services=services,
        notices=(*past.notices, *_left_out(live, target)),
        action="rollback",
        restores=target.restores or target.number,
        schedules=schedules.plan_return(schedules.observe(account, contract), target.schedules),
        continues=past.abandoned[0] if past.abandoned else None,
    )
    return Release(
        plan=plan,
        environment=environment,
        account=account,
        clock=clock,
        observed_at=observed_at,
        by=by,
        last=past.recent.completed,
        unfinished=past.abandoned,
        stops=past.holder is not None,
    )


def _target(
    environment: Environment, account: Account, live: Live, past: Past, *, to: int, over_irreversible: bool
) -> Entry:
    """Return the release to go back to; refuse the way over a migration that cannot be undone."""
    entries = ledger.entries(account.dynamodb, live.contract.ledger, limit=LOOK_BACK)
    target = choose(entries, live, to=to, environment=environment.name, reverts=bool(past.abandoned))
    if not over_irreversible:
        refuse_irreversible(entries, target, environment.name)
    return target


def parse(to: str) -> int:
    """Return the number that `--to` says, 0 for none."""
    if to and not (to.isascii() and to.isdecimal() and int(to)):
        raise ConfigError(f"--to takes the number of a release, not {to!r}", hint="inv history")
    return int(to or 0)


def choose(entries: Sequence[Entry], live: Live, *, to: int, environment: str, reverts: bool = False) -> Entry:
    """Return the release to go back to (pure); *entries* are the newest first.

    It *reverts* a release that was left half done: then the one before that is the newest that completed.
    """
    good = [one for one in entries if one.verdict == ledger.COMPLETED]
    if to:
        return _asked_for(entries, to, environment)
    serving = None if reverts else next((one for one in good if _serves(one, live)), None)
    if serving is None:
        candidates = good
    else:
        before, runs = _origin(serving), serving.services
        candidates = [one for one in good if _origin(one) < before and one.services != runs]
    if not candidates:
        what = f"release {_origin(serving)} serves, and none before it completed" if serving else "none ever completed"
        raise RefusedError(
            f"{environment}: there is no release to go back to: {what}", hint=f"inv history --env {environment}"
        )
    return candidates[0]


def _asked_for(entries: Sequence[Entry], number: int, environment: str) -> Entry:
    found = next((one for one in entries if one.number == number), None)
    hint = f"inv history --env {environment}"
    if found is None:
        raise RefusedError(f"{environment} has no release {number} among the last {len(entries)}", hint=hint)
    if found.verdict != ledger.COMPLETED:
        raise RefusedError(f"release {number} never served: it is {found.verdict}", hint=hint)
    return found


def _serves(entry: Entry, live: Live) -> bool:
    """Whether every service of *live* runs what *entry* released, and its rollout is over."""
    return bool(entry.services) and all(
        one.revision == entry.services.get(one.key, one.revision) and one.primary.get("rolloutState") == "COMPLETED"
        for one in live.services
    )


def _origin(entry: Entry) -> int:
    """Return the number of the release that *entry* is about: of a way back, the one that it restored."""
    return entry.restores or entry.number


def refuse_irreversible(entries: Sequence[Entry], target: Entry, environment: str) -> None:
    """Refuse to go back over a migration that cannot be undone; that of a release that failed ran all the same."""
    over = [one for one in entries if one.number > target.number and one.irreversible and _migrated(one)]
    if over:
        raise RefusedError(
            f"the migration of release {over[-1].number} is marked irreversible: the code of release {target.number} "
            "may not work with the database as it is",
            hint=f"inv rollback --env {environment} --to {target.number} --over-irreversible, if you know that it does",
        )


def _migrated(entry: Entry) -> bool:
    return entry.migration.get("state") in ("started", "done")


def refuse_inactive(target: Entry, found: Mapping[str, taskdef.Definition], environment: str) -> None:
    """Refuse revisions that somebody has deregistered: ECS starts no task of them."""
    gone = [arn for arn, one in found.items() if one.get("status", "ACTIVE") != "ACTIVE"]
    if gone:
        raise RefusedError(
            f"{taskdef.short(gone[0])} of release {target.number} was deregistered, so ECS would not start it",
            hint=f"inv history --env {environment}, and --to another release",
        )


def plan_return(
    live: Live, target: Entry, definitions: Mapping[str, taskdef.Definition], limits: Mapping[str, Limit]
) -> tuple[ServicePlan, ...]:
    """Return what brings each service to what *target* released (pure); one that it did not have stays."""
    return tuple(
        _back(one, target.services.get(one.key, ""), definitions, limits.get(one.key)) for one in live.services
    )


def _back(
    live: LiveService, revision: str, definitions: Mapping[str, taskdef.Definition], limit: Limit | None
) -> ServicePlan:
    definition = definitions.get(revision, live.definition)
    state = live.primary.get("rolloutState")
    there = revision in ("", live.revision)
    attached = there and bool(revision) and state == "IN_PROGRESS"
    reason = f"goes back to {taskdef.short(revision)}" if not there else "goes there already" if attached else "stays"
    return ServicePlan(
        key=live.key,
        name=live.contract.name,
        family=live.contract.family,
        action="attach" if attached else "unchanged" if there else "restore",
        reason=reason,
        based_on=live.revision,
        returns_to=live.returns_to,
        template=live.template,
        images=live.contract.containers,
        differences=() if there else taskdef.differences(live.definition, definition),
        deployment=live.deployment if attached else "",
        revision="" if there else revision,
        desired=live.desired,
        running=live.running,
        limit=limit,
        strategy=live.strategy,
        course=live.course,
    )


def images_of(entry: Entry) -> tuple[ImagePlan, ...]:
    """Return the images of *entry* as a plan has them: they are in the registry."""
    digests = {**entry.images, **({BASE: entry.base} if entry.base else {})}
    reason = f"of release {_origin(entry)}"
    return tuple(
        ImagePlan(image=image, action="reuse", reason=reason, tags=(), digest=digest)
        for image, digest in digests.items()
    )


def _left_out(live: Live, target: Entry) -> Iterable[str]:
    for one in live.services:
        if one.key not in target.services:
            yield f"{one.key} was not there in release {target.number}: it stays as it is"
