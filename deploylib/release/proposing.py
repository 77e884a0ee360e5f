"""From what is observed to a release: of this checkout, of images that completed elsewhere, or a restart."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from deploylib import aws, checkout, config, observe, verify
from deploylib.errors import ConfigError
from deploylib.images import builders, planning, promotion
from deploylib.plan import Beside, Origin, image_references, plan_release, plan_restart
from deploylib.release.model import Release, name_of
from deploylib.schedules import plan_schedules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from deploylib.aws import Account
    from deploylib.checkout import Checkout
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.images.planning import ImagePlan
    from deploylib.observe import Past
    from deploylib.patience import Limit
    from deploylib.plan import Live, Plan
    from deploylib.schedules import LiveSchedule

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
    wanted = _Wanted(
        images=planning.plan_images(observed.recipes, observed.present),
        commit=commit.commit,
        dirty=bool(commit.dirty),
        release=name_of(commit.commit, clock),
        irreversible=irreversible or _said_irreversible(environment, observed.past),
    )
    builders.refuse_nowhere(environment, observed.live.contract, wanted.images)
    plan = _planned(environment, observed, wanted)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What is to be released: the images of *commit*, built here, or from the release that is their *origin*."""

    images: tuple[ImagePlan, ...]
    commit: str
    release: str
    dirty: bool = False
    irreversible: bool = False
    origin: Origin | None = None


class _Seen(Protocol):
    """What every release is planned on, however its images come about."""

    @property
    def live(self) -> Live: ...  # as in `observe.Observed`
    @property
    def past(self) -> Past: ...
    @property
    def schedules(self) -> tuple[LiveSchedule, ...]: ...
    @property
    def limits(self) -> Mapping[str, Limit]: ...


def _planned(environment: Environment, seen: _Seen, wanted: _Wanted) -> Plan:
    """Return the plan that releases what is *wanted* on what was *seen*: services first, then what starts by itself."""
    plan = plan_release(
        environment,
        seen.live,
        wanted.images,
        commit=wanted.commit,
        dirty=wanted.dirty,
        release=wanted.release,
        recorded=seen.past.recorded,
        origin=wanted.origin,
        beside=Beside(limits=seen.limits, unfinished=seen.past.resumable, irreversible=wanted.irreversible),
    )
    references = image_references(plan.contract, wanted.images)
    return replace(plan, schedules=plan_schedules(plan.contract, seen.schedules, references))


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
    wanted = _Wanted(
        images=found.promotion.plans,
        commit=entry.commit,
        release=name_of(entry.commit, clock),
        irreversible=irreversible or entry.irreversible,
        origin=Origin(environment=found.promotion.source.name, release=entry.number),
    )
    plan = _planned(environment, found, wanted)
    notices = (*found.past.notices, *_elsewhere(commit, wanted))
    return Release(
        plan=_verified(account, environment, found.live, plan, notices),
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


def _elsewhere(commit: Checkout, wanted: _Wanted) -> Iterator[str]:
    """Say that what is checked out is not what is released."""
    if wanted.origin and commit.commit != wanted.commit:
        yield (
            f"HEAD is {commit.commit[:12]}, but what is released is {wanted.commit[:12]}, "
            f"of release {wanted.origin.release} in {wanted.origin.environment}"
        )


def _verified(account: Account, environment: Environment, live: Live, plan: Plan, known: tuple[str, ...]) -> Plan:
    """Return *plan* with all notices; raise `RefusedError` when what moves could not succeed, before it is built."""
    checks = verify.quick(account, environment, live) if plan.moving else ()
    verify.refuse_missing(checks, environment.name)
    return replace(plan, notices=(*plan.notices, *known, *verify.notices(checks)))


def _anew(release: Release, digests: Mapping[str, str]) -> Release:
    """Return *release* on what is live by now: the same images, which are in the registry, somebody else's services."""
    observed_at, plan = release.clock.monotonic(), release.plan
    seen = observe.ground(release.account, release.environment, plan.contract, dirty=plan.dirty)
    wanted = _Wanted(
        images=tuple(_made(one, digests) for one in plan.images),
        commit=plan.commit,
        release=plan.release,
        dirty=plan.dirty,
        irreversible=plan.irreversible,
        origin=plan.origin,
    )
    return replace(
        release,
        plan=_planned(release.environment, seen, wanted),
        observed_at=observed_at,
        last=seen.past.recent.completed,
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
