"""How many tasks run: a variation of a release that registers and builds nothing, under the same lock.

The count of a service is its operator's (ADR 3): a deploy never sends it. When the new count is not reached, the
former one is sent again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from deploylib import aws, events, observe, rollout, stopped, taskdef
from deploylib.errors import AwsError, ConfigError, NotRestoredError, RefusedError, RolledBackError, SupersededError
from deploylib.plan import Plan, ServicePlan
from deploylib.release import execution, recording
from deploylib.release.model import Course, Release, refuse_stale

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.patience import Limit
    from deploylib.plan import Live, LiveService

MOST = 10_000


def parse(text: str) -> dict[str, int]:
    """Return the counts that `web=4,job=0` says; raise `ConfigError` for anything else."""
    found: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        key, _, number = part.partition("=")
        if not (key and number.isascii() and number.isdecimal() and int(number) <= MOST) or key in found:
            raise ConfigError(f"{part!r} is no SERVICE=NUMBER", hint="inv scale web=4,job=2")
        found[key] = int(number)
    if not found:
        raise ConfigError("it is not said what to scale", hint="inv scale web=4,job=2")
    return found


def propose_scale(
    environment: Environment, account: Account, counts: Mapping[str, int], *, clock: Clock = time
) -> Release:
    """Observe, and return what would make *counts* (service → tasks) run; see `plan_scale`."""
    observed_at = clock.monotonic()
    by = aws.guard(account, environment)
    live = observe.live(account, observe.contract(account, environment))
    plan = plan_scale(environment, live, counts, limits=observe.limits(account, environment, live))
    return Release(plan=plan, environment=environment, account=account, clock=clock, observed_at=observed_at, by=by)


def plan_scale(
    environment: Environment, live: Live, counts: Mapping[str, int], *, limits: Mapping[str, Limit] | None = None
) -> Plan:
    """Return the plan that gives services other counts; it changes nothing else.

    Raises `ConfigError` for a service that the contract does not have, `RefusedError` for one that was never released
    or is rolling out.
    """
    if unknown := sorted(set(counts) - {one.key for one in live.services}):
        have = ", ".join(one.key for one in live.services)
        raise ConfigError(f"{environment.name} has no service {unknown[0]!r}", hint=f"it has {have}")
    _refuse(environment, [one for one in live.services if one.key in counts])
    commits = (taskdef.tag(one.definition, taskdef.TAG_COMMIT) for one in live.services)
    return Plan(
        environment=environment.name,
        contract=live.contract,
        commit=next(filter(None, commits), ""),
        dirty=False,
        release="",
        images=(),
        migration=None,
        services=tuple(_scaled(one, counts.get(one.key), (limits or {}).get(one.key)) for one in live.services),
        notices=tuple(_out_of_range(environment, counts)),
        action="scale",
    )


def scale(release: Release) -> Generator[events.Event, str | None, None]:
    """Carry out a plan of other counts, and watch until these tasks run and no others do.

    Raises `RolledBackError` when the count is not reached and the former one was sent, `NotRestoredError` when that
    was refused, `SupersededError`, `RefusedError`. Ctrl-C leaves the rest to ECS.
    """
    started = release.clock.monotonic()
    refuse_stale(release)
    course = Course(release=release, record=recording.nowhere(release), clock=release.clock)
    try:
        yield from execution.locked(course)
        yield from _sent(course)
        yield from _watched(course)
    except KeyboardInterrupt as interrupt:
        names = ", ".join(one.key for one in course.targets)
        interrupt.add_note(f"ECS goes on scaling {names}" if names else "nothing was scaled")
        raise
    finally:
        course.unlock()
    yield events.Completed(
        seconds=release.clock.monotonic() - started,
        calls=release.account.calls.total(),
        services=tuple(one.key for one in release.plan.moving),
        scaled=True,
    )


def _scaled(live: LiveService, count: int | None, limit: Limit | None) -> ServicePlan:
    moves = count is not None and count != live.desired
    return ServicePlan(
        key=live.key,
        name=live.contract.name,
        family=live.contract.family,
        action="scale" if moves else "unchanged",
        reason=f"{live.desired} → {count} tasks"
        if moves
        else "has that many tasks"
        if count is not None
        else "not asked for",
        based_on=live.revision,
        returns_to=live.revision,
        template=live.template,
        images=live.contract.containers,
        desired_count=count if moves else None,
        desired=live.desired,
        running=live.running,
        limit=limit if moves else None,
        strategy=live.strategy,
    )


def _refuse(environment: Environment, services: list[LiveService]) -> None:
    name = environment.name
    for one in services:
        if one.first:
            raise RefusedError(f"{name}: nothing was released into {one.key} yet", hint=f"inv deploy --env {name}")
        if one.primary.get("rolloutState") == "IN_PROGRESS":
            raise RefusedError(f"{one.key}: a deployment is under way", hint=f"inv watch --env {name}, then repeat it")


def _out_of_range(environment: Environment, counts: Mapping[str, int]) -> Iterator[str]:
    """Say which counts the service's own scaling, as the configuration has it, will not keep."""
    services: Mapping[str, Mapping[str, Mapping[str, int]]] = environment.terraform.get("services", {})
    for key, count in counts.items():
        scaling = services.get(key, {}).get("scaling") or {}
        low, high = scaling.get("minimum", 0), scaling.get("maximum", MOST)
        if not low <= count <= high:
            yield f"{key}: its scaling keeps it between {low} and {high} tasks, and may change {count} again"


def _sent(course: Course) -> Iterator[events.Event]:
    """Send every service its count."""
    release = course.release
    for one in release.plan.moving:
        course.hold()
        answer = release.account.ecs.update_service(
            cluster=release.cluster, service=one.name, desiredCount=one.desired_count or 0
        )
        limit = one.limit.seconds if one.limit else None
        target = rollout.target(one.key, answer["service"], previous=one.returns_to, limit_seconds=limit)
        course.targets.append(target)
        yield events.RolloutStarted(
            service=one.key, revision=target.revision, deployment=target.deployment, desired=one.desired_count or 0
        )


def _watched(course: Course) -> Iterator[events.Event]:
    release, failed = course.release, None
    watching = rollout.watch(
        release.account, release.cluster, course.targets, settings=release.environment.rollout, clock=course.clock
    )
    for one in watching:
        if isinstance(one, events.Event):
            yield one
        elif one.verdict != "done":
            failed = one
    if failed:
        yield from _conclude(course, failed)


def _conclude(course: Course, failed: rollout.Outcome) -> Iterator[events.Event]:
    """Report the failure, send the former counts, and raise the verdict; we do not wait for these."""
    name, target = course.release.plan.environment, failed.target
    evidence = _evidence(course, target)
    yield events.RolloutFailed(
        service=target.key,
        verdict=failed.verdict,
        reason=failed.reason,
        tasks=evidence.tasks,
        targets=evidence.targets,
        alarms=evidence.alarms,
        messages=evidence.messages,
        since=evidence.since,
    )
    what = f"{target.key}: {failed.verdict}: {failed.reason.rstrip('.')}"
    if failed.verdict == "superseded":
        raise SupersededError(what, hint=f"inv status --env {name}")
    try:
        _send_back(course)
    except AwsError as error:
        raise NotRestoredError(
            f"{what}; the former count was refused: {error}", hint=f"inv tasks --env {name}"
        ) from error
    raise RolledBackError(f"{what}; the former count was sent again", hint=f"inv tasks --env {name} --stopped")


def _evidence(course: Course, target: rollout.Target) -> stopped.Evidence:
    release = course.release
    try:
        answer = release.account.ecs.describe_task_definition(taskDefinition=target.revision)
        return stopped.evidence(release.account, release.cluster, target, definition=answer["taskDefinition"])
    except AwsError:  # a report without its evidence beats no report
        return stopped.Evidence()


def _send_back(course: Course) -> None:
    for one in course.release.plan.moving:
        course.hold()
        course.release.account.ecs.update_service(
            cluster=course.release.cluster, service=one.name, desiredCount=one.desired
        )
