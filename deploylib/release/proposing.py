"""From what is observed to a release: of this checkout, of images that completed elsewhere, or a restart."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from deploylib import aws, checkout, config, observe, schedules, verify
from deploylib.errors import ConfigError
from deploylib.images import planning, promotion
from deploylib.plan import Beside, Origin, image_references, plan_release, plan_restart
from deploylib.release.model import Release
from deploylib.schedules import plan_schedules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploylib.aws import Account
    from deploylib.checkout import Checkout
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.images.planning import ImagePlan
    from deploylib.observe import Past
    from deploylib.plan import Live, Plan

TRAILER, IRREVERSIBLE = "Migration", "irreversible"


def propose(
    environment: Environment,
    account: Account,
    commit: Checkout,
    *,
    number: str = "",
    irreversible: bool = False,
    sign_in: Callable[[Environment], Account] = aws.signed_in,
    clock: Clock = time,
) -> Release:
    """Observe, and return the release that would bring *environment* up to date.

    It is one of *commit*, or, where the images are promoted, of the release *number* of the environment that they
    are from; without one, of the newest that completed there. *irreversible*: what its migration does cannot be undone
    by going back; a commit says so too, in its trailer `Migration: irreversible`.
    """
    if environment.promote_from:
        source = config.load(environment.root, environment.promote_from)
        ends = (sign_in(source), source), (account, environment)
        return _offered(*ends, commit, number=promotion.parse(number), irreversible=irreversible, clock=clock)
    if number:
        raise ConfigError(
            f"--release takes a release of another environment, but {environment.name} builds its own images",
            hint=f'set promote_from = "…" in environments/{environment.name}.toml, or leave --release out',
        )
    observed_at = clock.monotonic()
    observed = observe.everything(account, environment, commit)
    images = planning.plan_images(observed.recipes, observed.present)
    beside = Beside(
        limits=observed.limits,
        unfinished=observed.past.resumable,
        irreversible=irreversible or _said_irreversible(environment, observed.past),
    )
    plan = plan_release(
        environment,
        observed.live,
        images,
        commit=commit.commit,
        dirty=bool(commit.dirty),
        release=f"{_timestamp(clock)}-{commit.commit[:7]}",
        recorded=observed.past.recorded,
        beside=beside,
    )
    references = image_references(plan.contract, images)
    plan = replace(plan, schedules=plan_schedules(plan.contract, observed.schedules, references))
    return Release(
        plan=_verified(account, environment, observed.live, plan, observed.notices),
        environment=environment,
        account=account,
        clock=clock,
        observed_at=observed_at,
        recipes=observed.recipes,
        by=observed.by,
        last=observed.past.recent.completed,
        unfinished=observed.past.abandoned,
        anew=_anew,
    )


def _said_irreversible(environment: Environment, past: Past) -> bool:
    """Whether a commit since the last release says that its migration cannot be undone."""
    since = past.recent.completed.commit if past.recent.completed else ""
    return IRREVERSIBLE in checkout.marked(environment.root, environment.app.path, TRAILER, since=since)


def _offered(
    source: observe.Signed,
    target: observe.Signed,
    commit: Checkout,
    *,
    number: int,
    irreversible: bool,
    clock: Clock,
) -> Release:
    """Observe, and return the release of images that completed in *source*."""
    observed_at = clock.monotonic()
    found = observe.offered(source, target, number=number)
    (account, environment), entry = target, found.promotion.entry
    beside = Beside(
        limits=found.limits, unfinished=found.past.resumable, irreversible=irreversible or entry.irreversible
    )
    plan = plan_release(
        environment,
        found.live,
        found.promotion.plans,
        commit=entry.commit,
        dirty=False,
        release=f"{_timestamp(clock)}-{entry.commit[:7]}",
        recorded=found.past.recorded,
        origin=Origin(environment=found.promotion.source.name, release=entry.number),
        beside=beside,
    )
    references = image_references(plan.contract, found.promotion.plans)
    plan = replace(plan, schedules=plan_schedules(plan.contract, found.schedules, references))
    elsewhere = (
        f"HEAD is {commit.commit[:12]}, but what is released is {entry.commit[:12]}, "
        f"of release {entry.number} in {found.promotion.source.name}"
    )
    return Release(
        plan=_verified(
            account,
            environment,
            found.live,
            plan,
            (*found.past.notices, *([elsewhere] if commit.commit != entry.commit else [])),
        ),
        environment=environment,
        account=account,
        clock=clock,
        observed_at=observed_at,
        promotion=found.promotion,
        by=found.by,
        last=found.past.recent.completed,
        unfinished=found.past.abandoned,
        anew=_anew,
    )


def _verified(account: Account, environment: Environment, live: Live, plan: Plan, known: tuple[str, ...]) -> Plan:
    """Return *plan* with all notices; raise `RefusedError` when what moves could not succeed, before it is built."""
    checks = verify.quick(account, environment, live) if plan.moving else ()
    verify.refuse_missing(checks, environment.name)
    return replace(plan, notices=(*plan.notices, *known, *verify.notices(checks)))


def _anew(release: Release, digests: Mapping[str, str]) -> Release:
    """Return *release* on what is live by now: the same images, which are in the registry, somebody else's services."""
    observed_at = release.clock.monotonic()
    contract = release.plan.contract
    past = observe.past(release.account, contract, dirty=release.plan.dirty)
    live = observe.with_settings(release.account, observe.live(release.account, contract))
    images = tuple(_made(one, digests) for one in release.plan.images)
    beside = Beside(
        limits=observe.limits(release.account, release.environment, live), irreversible=release.plan.irreversible
    )
    plan = plan_release(
        release.environment,
        live,
        images,
        commit=release.plan.commit,
        dirty=release.plan.dirty,
        release=release.plan.release,
        recorded=past.recorded,
        origin=release.plan.origin,
        beside=beside,
    )
    planned = plan_schedules(contract, schedules.observe(release.account, contract), image_references(contract, images))
    return replace(
        release,
        plan=replace(plan, schedules=planned),
        observed_at=observed_at,
        last=past.recent.completed,
        anew=None,
    )


def _made(image: ImagePlan, digests: Mapping[str, str]) -> ImagePlan:
    return replace(image, action="reuse", digest=digests.get(image.image, image.digest))


def propose_restart(
    environment: Environment,
    account: Account,
    chosen: tuple[str, ...] = (),
    *,
    every: bool = False,
    clock: Clock = time,
) -> Release:
    """Observe, and return what would make the running tasks read their settings again; see `plan_restart`."""
    observed_at = clock.monotonic()
    by = aws.guard(account, environment)
    live = observe.with_settings(account, observe.live(account, observe.contract(account, environment)))
    plan = plan_restart(environment, live, chosen, every=every, limits=observe.limits(account, environment, live))
    return Release(plan=plan, environment=environment, account=account, clock=clock, observed_at=observed_at, by=by)


def _timestamp(clock: Clock) -> str:
    return dt.datetime.fromtimestamp(clock.time(), tz=dt.UTC).strftime("%Y%m%dT%H%M%SZ")
