"""Services back: what had moved returns to the revision before, scheduled tasks too; the report says what serves.

`on_failure = "stop"` leaves everything where the failure found it. A release that another one took over brings nothing
back: what serves is the other one's business.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deploylib import bluegreen, events, rollout, schedules, stopped
from deploylib.errors import AwsError, DeployError, NotRestoredError, RolledBackError, SupersededError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from deploylib.plan import ServicePlan
    from deploylib.release.model import Course
    from deploylib.taskdef import Definition

Restored = dict[str, bool]


def conclude(course: Course, failed: rollout.Outcome, definitions: Mapping[str, Definition]) -> Iterator[events.Event]:
    """Report the failure, bring every service back where that is ours to do, and raise the verdict."""
    target, name = failed.target, course.release.plan.environment
    yield _report(course, failed, definitions)
    what = f"{target.key}: {failed.verdict}: {failed.reason.rstrip('.')}"
    if failed.verdict == "superseded":
        raise SupersededError(what, hint=f"inv deploy --env {name}, when the other one is done")
    if failed.verdict == "not drained":
        raise NotRestoredError(what, hint=f"the new release serves; inv tasks --env {name} shows what does not stop")
    yield from _go_back(course, what, itself=target.key if failed.restores_itself else "")


def give_up(course: Course, why: str) -> Iterator[events.Event]:
    """Bring everything back although nothing failed by itself, and raise the verdict."""
    yield from _go_back(course, why, itself="", asked=True)


def not_serving(course: Course, error: DeployError) -> Iterator[events.Event]:
    """Bring everything back because the release does not answer as it should, and raise the verdict."""
    first = [one.key for one in course.release.plan.moving if one.first]
    if first or not course.targets:
        which = f"{', '.join(first)} had no release before" if first else "this run has moved nothing"
        raise NotRestoredError(f"{error}; {which}, so it stays as it is", hint=error.hint) from error
    try:
        yield from _go_back(course, str(error), itself="", hint=error.hint)
    except (RolledBackError, NotRestoredError) as verdict:
        raise verdict from error


def after_refusal(course: Course, error: AwsError) -> Iterator[events.Event]:
    """AWS refused an UpdateService, or stopped answering: bring back what had moved, if that can be done."""
    waiting = len(course.release.plan.moving) - len(course.targets)
    if waiting <= 0:
        error.add_note(goes_on(course))
        return
    yield events.Noticed(message=str(error))
    course.targets += _unnoticed(course)
    if not course.targets:
        error.add_note(goes_on(course))
        return
    yield from _go_back(course, str(error), itself="", hint=error.hint)


def goes_on(course: Course) -> str:
    """Say what happens without us."""
    name = course.release.plan.environment
    if not course.targets:
        return "no service was touched"
    names = ", ".join(one.key for one in course.targets)
    waits = [one.key for one in course.release.plan.moving if one.key not in {each.key for each in course.targets}]
    rest = f"; {', '.join(waits)} did not move yet" if waits else ""
    return f"the rollout of {names} goes on in ECS{rest}; inv watch --env {name} follows it to its end"


def _report(course: Course, failed: rollout.Outcome, definitions: Mapping[str, Definition]) -> events.RolloutFailed:
    """Return what is to know of the failure; what cannot be read is left out."""
    release, target = course.release, failed.target
    try:
        definition = definitions.get(target.key) or _definition(course, target.revision)
        found = stopped.evidence(release.account, release.cluster, target, definition=definition)
    except AwsError:
        found = stopped.Evidence()
    return events.RolloutFailed(
        service=target.key,
        verdict=failed.verdict,
        reason=failed.reason,
        tasks=found.tasks,
        targets=found.targets,
        alarms=found.alarms,
        messages=found.messages,
        since=found.since,
    )


def _definition(course: Course, revision: str) -> Definition:
    return course.release.account.ecs.describe_task_definition(taskDefinition=revision)["taskDefinition"]


def _go_back(course: Course, what: str, *, itself: str, hint: str = "", asked: bool = False) -> Iterator[events.Event]:
    """Bring everything back, say what serves, and raise `RolledBackError` or `NotRestoredError`."""
    name, policy = course.release.plan.environment, course.release.environment.release.on_failure
    if policy == "stop" and not asked:
        yield events.Concluded(
            verdict="not restored", services=_as_found(course, itself), hint=f"inv rollback --env {name}"
        )
        raise NotRestoredError(
            f"{what}; everything else stays as it is (release.on_failure is stop)", hint=f"inv rollback --env {name}"
        )
    course.record.enter("going back", only_watching=True)
    restored = yield from _noted(_restore(course, itself=itself), f"{what}; ECS goes on bringing the previous one back")
    hint = hint or _next_step(course)
    if all(restored.values()):
        yield events.Concluded(verdict="rolled back", services=_serves(course, restored), hint=hint)
        raise RolledBackError(f"{what}; the previous release is serving", hint=hint)
    hint = f"inv status --env {name}; {hint}"
    yield events.Concluded(verdict="not restored", services=_serves(course, restored), hint=hint)
    raise NotRestoredError(f"{what}; {_left(course, restored)}", hint=hint)


def _restore(course: Course, *, itself: str) -> Generator[events.Event, None, Restored]:
    """Send each service back to its former revision, and return which of them serve it again.

    ECS brings *itself* back by its own roll-back. A first release has nothing to go back to: its service is set to
    zero tasks, as Terraform left it.
    """
    first, targets = _first(course), course.targets
    back = [replace(one, revision=one.previous) for one in targets if one.previous and one.key not in first]
    restored = dict.fromkeys((one.key for one in targets), False)
    try:
        yield from _schedules_back(course)
        for one in targets:
            _send_back(course, one, first=one.key in first, itself=one.key == itself)
        for one in back:
            yield events.Restoring(service=one.key, revision=one.revision)
        yield from _watched_back(course, back, restored)
    except AwsError as error:
        yield events.Noticed(message=f"bringing the services back was refused: {error}")
    return restored


def _watched_back(course: Course, back: list[rollout.Target], restored: Restored) -> Iterator[events.Event]:
    release = course.release
    for event in rollout.watch_restored(
        release.account, release.cluster, back, settings=release.environment.rollout, clock=course.clock
    ):
        if isinstance(event, events.Restored):
            restored[event.service] = True
        yield event


def _schedules_back(course: Course) -> Iterator[events.Event]:
    moved = {one.key: one for one in course.release.plan.schedules}
    while course.moved_schedules:
        key = course.moved_schedules[-1]
        course.hold()
        yield schedules.move_back(course.release.account, moved[key])
        course.moved_schedules.remove(key)


def _send_back(course: Course, target: rollout.Target, *, first: bool, itself: bool) -> None:
    ecs, cluster = course.release.account.ecs, course.release.cluster
    if target.by_codedeploy:
        _switch_back(course, target, first=first, itself=itself)
    elif first:
        course.hold()
        ecs.update_service(cluster=cluster, service=target.name, taskDefinition=target.previous, desiredCount=0)
    elif target.previous not in ("", target.revision) and not itself:  # to where it is, ECS would not move
        course.hold()
        ecs.update_service(cluster=cluster, service=target.name, taskDefinition=target.previous)


def _switch_back(course: Course, target: rollout.Target, *, first: bool, itself: bool) -> None:
    """Have CodeDeploy bring *target* back: its deployment stopped while it can be, else another one of what was."""
    release = course.release
    if itself and not first:
        return
    course.hold()
    by_itself = bluegreen.stop(release.account, target.deployment)
    if first:
        release.account.ecs.update_service(cluster=release.cluster, service=target.name, desiredCount=0)
        return
    by_itself = by_itself or bluegreen.goes_back(release.account, target.deployment)
    if not by_itself and target.previous not in ("", target.revision):
        service = next(one for one in release.plan.services if one.key == target.key)
        bluegreen.start(release.account, move(course, service, target.previous))


def move(course: Course, service: ServicePlan, revision: str) -> bluegreen.Move:
    """Return what CodeDeploy is asked to bring *service* to *revision*."""
    plan = course.release.plan
    return bluegreen.Move(
        key=service.key,
        cluster=course.release.cluster,
        service=plan.contract.services[service.key],
        revision=revision,
        previous=service.returns_to,
        what=f"{plan.action} {course.record.number or ''} of {plan.commit[:12]}",
        limit_seconds=service.limit.seconds if service.limit else 0.0,
    )


def _unnoticed(course: Course) -> list[rollout.Target]:
    """Return the services whose UpdateService or CreateDeployment arrived, although its answer never reached us."""
    release, sent = course.release, {one.key for one in course.targets}
    waiting = {one.name: one for one in release.plan.moving if one.key not in sent and one.key in course.revisions}
    try:
        found = rollout.describe(release.account.ecs, release.cluster, list(waiting))
        switched = [one for one in waiting.values() if one.strategy == "codedeploy"]
        moves = [move(course, one, course.revisions[one.key]) for one in switched]
        arrived = [bluegreen.unnoticed(release.account, one) for one in moves]
    except AwsError:
        return []
    return [
        *(one for one in arrived if one),
        *(
            rollout.target(waiting[name].key, described, previous=waiting[name].returns_to)
            for name, described in found.items()
            if described.get("taskDefinition") == course.revisions[waiting[name].key] and waiting[name] not in switched
        ),
    ]


def _first(course: Course) -> frozenset[str]:
    return frozenset(one.key for one in course.release.plan.moving if one.first)


def _serves(course: Course, restored: Mapping[str, bool]) -> tuple[events.Serves, ...]:
    first = _first(course)
    return tuple(
        _serving(
            course, one.key, one.previous, "nothing" if one.key in first else "previous" if restored[one.key] else ""
        )
        for one in course.targets
    )


def _as_found(course: Course, itself: str) -> tuple[events.Serves, ...]:
    """Say what serves where nothing is brought back; *itself* goes back by ECS's own doing."""
    return tuple(
        _serving(course, one.key, one.previous, "previous")
        if one.key == itself
        else _serving(course, one.key, one.revision, "new")
        for one in course.targets
    )


def _serving(course: Course, key: str, revision: str, state: str) -> events.Serves:
    last = course.release.last
    known = last is not None and last.services.get(key) == revision and state == "previous"
    return events.Serves(
        service=key,
        state=state or "unclear",
        revision="" if state == "nothing" else revision,
        release=course.record.number if state == "new" else last.number if last and known else 0,
        commit=course.release.plan.commit if state == "new" else last.commit if last and known else "",
    )


def _left(course: Course, restored: Mapping[str, bool]) -> str:
    """Say, service by service, what a person finds."""
    first = _first(course)
    parts = [
        f"{key} had no release before and is set to zero tasks"
        if key in first
        else f"{key} serves the previous release"
        if back
        else f"{key} does NOT serve the previous release"
        for key, back in restored.items()
    ]
    return "; ".join(parts)


def _next_step(course: Course) -> str:
    name = course.release.plan.environment
    if course.release.plan.action == "restart":
        return f"correct the settings (inv params.list --env {name}), and repeat inv refresh --env {name}"
    if course.release.plan.action == "rollback":
        return f"inv history --env {name}, and inv rollback --env {name} --to another release"
    return f"correct the application, commit, and inv deploy --env {name}"


def _noted(steps: Generator[events.Event, None, Restored], note: str) -> Generator[events.Event, None, Restored]:
    """Add to a Ctrl-C among *steps* what it leaves behind."""
    try:
        return (yield from steps)
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(note)
        raise
