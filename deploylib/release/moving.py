"""Services forward: one UpdateService each, in the order of the gates, watched together; what a Ctrl-C means meanwhile.

A service under CodeDeploy gets a deployment of it instead (`deploylib.bluegreen`).

A service without `after` is updated at once; one with it when the first tasks of those before it are healthy. Whatever
happens, `Course.targets` has what was sent forward: that is what goes back, or goes on in ECS without us.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from deploylib import bluegreen, events, rollout
from deploylib.errors import AwsError, Terminated
from deploylib.release import restoring

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from deploylib.plan import ServicePlan
    from deploylib.release.model import Course, Release
    from deploylib.taskdef import Definition

CHOICES = ("wait", "detach", "rollback")


def roll_out(course: Course, definitions: Mapping[str, Definition]) -> Generator[events.Event, str | None, int]:
    """Roll out every service that moves, and return how many tasks are wanted of them."""
    try:
        failed = yield from _moved(course)
    except AwsError as error:
        yield from restoring.after_refusal(course, error)
        raise
    if failed:
        yield from restoring.conclude(course, failed, definitions)
    return sum(one.desired for one in course.targets)


def _moved(course: Course) -> Generator[events.Event, str | None, rollout.Outcome | None]:
    """Send every service forward and watch; a Ctrl-C is answered, and may lead back to here."""
    arrived: set[str] = set()
    while True:
        try:
            for one in _pending(course):
                if not _gates(course.release, one):
                    _start(course, one)
                    yield _started(course, course.targets[-1])
            course.record.enter("watching", only_watching=True)
            return (yield from _watched(course, arrived))
        except KeyboardInterrupt as interrupt:
            yield from _answered(course, interrupt)


def _watched(course: Course, arrived: set[str]) -> Generator[events.Event, str | None, rollout.Outcome | None]:
    """Yield progress; return the outcome that is no success, if there is one."""
    release, told = course.release, len(course.targets)
    watching = rollout.watch(
        release.account,
        release.cluster,
        [one for one in course.targets if one.key not in arrived],
        settings=release.environment.rollout,
        clock=course.clock,
        starts=_starts(course),
        looks=_looks(course),
    )
    failed = None
    for one in watching:
        if isinstance(one, events.Event):
            yield one
        elif one.verdict == "done":
            arrived.add(one.target.key)
        else:
            failed = one
        for target in course.targets[told:]:  # a gate has opened
            told += 1
            yield _started(course, target)
    return failed


def _looks(course: Course) -> bluegreen.Looks | None:
    """Return who looks at what CodeDeploy moves too, where it moves something."""
    if all(one.strategy != "codedeploy" for one in course.release.plan.moving):
        return None
    return bluegreen.Looks(course.release.account, course.release.cluster, course.clock)


def _pending(course: Course) -> Iterator[ServicePlan]:
    sent = {one.key for one in course.targets}
    return (one for one in course.release.plan.moving if one.key not in sent)


def _gates(release: Release, service: ServicePlan) -> tuple[str, ...]:
    """Return the services of this release that *service* waits for; what does not move keeps nobody waiting."""
    moving = {one.key for one in release.plan.moving}
    return tuple(one for one in service.after if one in moving)


def _starts(course: Course) -> tuple[rollout.Start, ...]:
    return tuple(
        rollout.Start(key=one.key, after=_gates(course.release, one), start=functools.partial(_start, course, one))
        for one in _pending(course)
    )


def _start(course: Course, service: ServicePlan) -> rollout.Target:
    """Send the one UpdateService of *service* (or find the deployment under way), and return what to follow."""
    target = _target(course, service)
    course.targets.append(target)
    return target


def _target(course: Course, service: ServicePlan) -> rollout.Target:
    release = course.release
    if service.strategy == "codedeploy" and not service.deployment.startswith(rollout.DEPLOYMENT):
        return _switched(course, service)
    if service.action == "attach":
        return _under_way(release, service)
    if service.action == "restart":
        anew: dict[str, Any] = {"forceNewDeployment": True}
    else:
        count = {} if service.desired_count is None else {"desiredCount": service.desired_count}
        anew = {"taskDefinition": course.revisions[service.key], **count}
    course.hold()
    answer = release.account.ecs.update_service(cluster=release.cluster, service=service.name, **anew)
    return _followed(release, service, answer["service"])


def _followed(release: Release, service: ServicePlan, described: Mapping[str, Any]) -> rollout.Target:
    limit = service.limit.seconds if service.limit else None
    found = rollout.target(service.key, described, previous=service.returns_to, limit_seconds=limit)
    asked = bool(found.target_groups) or any("healthCheck" in one for one in service.template["containerDefinitions"])
    return found if asked else replace(found, settle_seconds=release.environment.rollout.settle_seconds)


def targets_to_follow(release: Release) -> list[rollout.Target]:
    """Return the rollouts of *release* that are under way already."""
    return [_under_way(release, one) for one in release.plan.moving if one.action == "attach"]


def _under_way(release: Release, service: ServicePlan) -> rollout.Target:
    described = rollout.describe(release.account.ecs, release.cluster, [service.name])[service.name]
    return _attached(service, _followed(release, service, described))


def _switched(course: Course, service: ServicePlan) -> rollout.Target:
    """Have CodeDeploy move *service*, or find its deployment; a first release needs its count before that."""
    release, ecs = course.release, course.release.account.ecs
    move = restoring.move(course, service, course.revisions.get(service.key) or service.based_on)
    if service.action == "attach":
        described = rollout.describe(ecs, release.cluster, [service.name])[service.name]
        return bluegreen.target(move, described, service.deployment)
    if service.desired_count is not None:
        course.hold()
        ecs.update_service(cluster=release.cluster, service=service.name, desiredCount=service.desired_count)
    course.hold()
    return _begun(release, move)


def _begun(release: Release, move: bluegreen.Move) -> rollout.Target:
    """Have CodeDeploy begin; on a way back what is under way is turned back instead, where it came from there."""
    try:
        return bluegreen.start(release.account, move)
    except AwsError as error:
        turned = error.code == bluegreen.ONE_AT_A_TIME and release.plan.action == "rollback"
        found = bluegreen.turn_back(release.account, move) if turned else None
        if found is None:
            raise
        return found


def _attached(service: ServicePlan, found: rollout.Target) -> rollout.Target:
    """Return what to follow: the deployment that the plan found or the ledger names, whatever is PRIMARY by now."""
    if service.deployment in ("", found.deployment):
        return found
    return replace(found, deployment=service.deployment, revision=service.revision or found.revision)


def _started(course: Course, target: rollout.Target) -> events.RolloutStarted:
    attached = {one.key for one in course.release.plan.moving if one.action == "attach"}
    return events.RolloutStarted(
        service=target.key,
        revision=target.revision,
        deployment=target.deployment,
        desired=target.desired,
        attached=target.key in attached,
    )


def _answered(course: Course, interrupt: KeyboardInterrupt) -> Generator[events.Event, str | None, None]:
    """Ask what a Ctrl-C means, or do what the environment says where nobody can be asked; return to go on waiting."""
    if not course.targets:
        interrupt.add_note("no service was touched")
        raise interrupt
    choice: str = course.release.environment.release.on_interrupt
    try:
        answer = yield events.Question(
            services=tuple(one.key for one in course.targets), may_ask=not isinstance(interrupt, Terminated)
        )
        choice = answer if answer in CHOICES else choice
    except KeyboardInterrupt:  # a second one: whoever sits there wants to go
        choice = "detach"
    if choice == "rollback":
        yield from restoring.give_up(course, "it was interrupted, and is taken back")
    if choice == "detach":
        course.record.enter("detached", only_watching=True)
        interrupt.add_note(restoring.goes_on(course))
        raise interrupt
