"""A release that is about to be carried out, and what is known of it while it is on its way."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploylib import rollout, serving, taskdef
from deploylib.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.images.promotion import Promotion
    from deploylib.images.recipe import Recipe
    from deploylib.lease import Lease
    from deploylib.ledger import Entry
    from deploylib.plan import Plan
    from deploylib.release.recording import Record

FRESH_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A plan with what it takes to execute it.

    *observed_at* is the clock's reading when the plan's facts were read; *by* is who releases, for the ledger. What
    is built is in *recipes*, what is taken from another environment in *promotion*. *last* is the newest release that
    completed, *unfinished* are those since that have no end; *resumes* is the one that is brought to its end.
    One that *stops* another takes the lock from it; one that *follows* only looks on. *anew* plans the same images
    again, once somebody else's release, which we waited for, has changed what is live; without it such a plan is
    refused.
    """

    plan: Plan
    environment: Environment
    account: Account
    clock: Clock
    observed_at: float
    recipes: tuple[Recipe, ...] = ()
    promotion: Promotion | None = None
    by: str = ""
    get: serving.Fetch = serving.fetch
    last: Entry | None = None
    unfinished: tuple[Entry, ...] = ()
    resumes: Entry | None = None
    stops: bool = False
    follows: bool = False
    anew: Callable[[Release, Mapping[str, str]], Release] | None = None

    @property
    def moves_on(self) -> bool:
        """Whether it changes more than it follows: something still has to be sent forward."""
        if self.follows:
            return False
        services = any(one.action in ("update", "restore", "restart") for one in self.plan.services)
        return services or any(one.action != "unchanged" for one in self.plan.schedules)

    @property
    def cluster(self) -> str:
        """The ARN of the cluster that is released into."""
        return self.plan.contract.cluster


def exactly(release: Release) -> Release:
    """Return *release* as one that is carried out as it was planned, or not at all."""
    return replace(release, anew=None)


@dataclass(slots=True, kw_only=True)
class Course:
    """A release on its way: what has moved so far, and where it is written down.

    `targets` are the services that were sent to their new revision, in that order; `moved_schedules` the scheduled
    tasks. Whoever brings things back needs no more than this.
    """

    release: Release
    record: Record
    clock: Clock
    lease: Lease | None = None
    revisions: dict[str, str] = field(default_factory=dict)
    scheduled_revisions: dict[str, str] = field(default_factory=dict)
    targets: list[rollout.Target] = field(default_factory=list)
    moved_schedules: list[str] = field(default_factory=list)

    def hold(self) -> None:
        """Raise `SupersededError` unless the lock is still ours: nothing is written without it."""
        if self.lease:
            self.lease.hold()

    def unlock(self) -> None:
        """Give the lock back, if it is ours."""
        if self.lease:
            self.lease.release()
            self.lease = None

    @property
    def done_already(self) -> bool:
        """Whether this only brings to its end what another run began."""
        return self.release.resumes is not None


def refuse_stale(release: Release, *, fresh_seconds: float = FRESH_SECONDS) -> None:
    """Refuse to go on when a service is no longer what the plan was made from; so long after that it is not asked."""
    if release.clock.monotonic() - release.observed_at < fresh_seconds:
        return
    names = {one.name: one for one in release.plan.moving if one.action in ("update", "restart", "restore")}
    found = rollout.describe(release.account.ecs, release.cluster, list(names))
    for name, one in names.items():
        now = found.get(name, {}).get("taskDefinition", "nothing")
        if now != one.based_on:
            raise RefusedError(
                f"{one.key} runs {taskdef.short(now)} by now; the plan was made on {taskdef.short(one.based_on)}",
                hint="somebody else released in between: look at the new plan and deploy again",
            )


def name_of(commit: str, clock: Clock) -> str:
    """Return what the revisions of a release of *commit* are tagged with: when, and what."""
    now = dt.datetime.fromtimestamp(clock.time(), tz=dt.UTC)
    return f"{now:%Y%m%dT%H%M%SZ}-{commit[:7]}"
