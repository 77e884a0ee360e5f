"""The steps of a release in their order; from the first write to ECS to the last under the lock of the environment.

Images are built and pushed outside the lock: they harm nobody, and take the longest. What is between `locked` and the
end has the lock, or stops: `Course.hold` stands before each write, and every waiting renews it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from deploylib import events, hooks, lease, ledger, migration, rollout, schedules, serving, taskdef
from deploylib.errors import AwsError, DeployError, NotServingError, RefusedError
from deploylib.images import builders, building, promotion, registry, supplies, tags, testing
from deploylib.plan import role_images
from deploylib.release import moving, recording, restoring
from deploylib.release.model import Course, refuse_stale

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from deploylib.plan import ServicePlan
    from deploylib.release.model import Release
    from deploylib.schedules import SchedulePlan
    from deploylib.taskdef import Definition

    Steps = Generator[events.Event, str | None, None]
    Images = Generator[events.Event, None, Mapping[str, str]]

WAITED_SECONDS = 1.0

T = TypeVar("T")


def execute(release: Release, images: Images | None = None) -> Steps:
    """Carry out the release; *images* builds and pushes what is missing, and returns digests by image.

    An `events.Question` among the events may be answered by `send`. Raises `ImageError`, `MigrationError`,
    `RolledBackError`, `NotRestoredError`, `SupersededError` or `RefusedError`; what had been done by then is true in
    the events and in the ledger.
    """
    started = release.clock.monotonic()
    refuse_stale(release)
    _refuse_locked(release)
    record = recording.begin(release)
    course = Course(release=release, record=record, clock=release.clock)
    yield events.Began(release=record.number)
    try:
        yield from recording.recorded(record, _carry_out(course, images or _images(release)))
        yield from _name(release, record.entry.images)
    finally:
        course.unlock()
    yield _completed(course.release, started, release_number=record.number)


def restart(release: Release) -> Steps:
    """Carry out a plan that only restarts: nothing is built or registered, and the ledger has no new release.

    Raises `RolledBackError`, `NotRestoredError`, `SupersededError` or `RefusedError`.
    """
    started = release.clock.monotonic()
    refuse_stale(release)
    course = Course(release=release, record=recording.nowhere(release), clock=release.clock)
    try:
        yield from locked(course)
        refuse_stale(release)
        tasks = yield from moving.roll_out(course, {})
        if tasks:
            yield from _prove(course, tasks, of_any_commit=True)
    finally:
        course.unlock()
    yield _completed(release, started, restarted=True)


def _completed(
    release: Release, started: float, *, release_number: int = 0, restarted: bool = False
) -> events.Completed:
    accounts = (release.account, *((release.promotion.source.account,) if release.promotion else ()))
    return events.Completed(
        seconds=release.clock.monotonic() - started,
        calls=sum(one.calls.total() for one in accounts),
        url=release.plan.contract.url,
        services=tuple(one.key for one in release.plan.moving),
        release=release_number,
        restarted=restarted,
    )


def _carry_out(course: Course, images: Images) -> Steps:
    """Take every step of the release, from the images to the proof that it serves."""
    digests = yield from _made(course, images)
    waited = yield from locked(course)
    yield from _planned_anew(course, digests, waited=waited)
    _close_abandoned(course)
    definitions = yield from _registered(course, digests)
    yield from _migrate(course, definitions)
    yield from _hook(course, "before_deploy")
    course.record.enter("rolling out", services=_services(course), schedules=_scheduled(course))
    tasks = yield from moving.roll_out(course, definitions)
    yield from _move_schedules(course)
    yield from _prove(course, tasks)
    yield from _hook(course, "after_deploy")


# Images, outside the lock


def _made(course: Course, images: Images) -> Generator[events.Event, str | None, Mapping[str, str]]:
    """Build or copy the images, with the hooks around it where something is to be made."""
    makes = any(one.action != "reuse" for one in course.release.plan.images)
    if makes:
        yield from _hook(course, "before_build")
    digests = yield from _noted(images, "no service was touched; what was pushed stays usable")
    if makes:
        yield from _hook(course, "after_build", digests)
    return digests


def _images(release: Release) -> Images:
    if release.promotion:
        return (yield from promotion.carry_out(release.promotion, clock=release.clock))
    if release.resumes or release.plan.action == "rollback":
        return {one.image: one.digest for one in release.plan.images}
    contract = release.plan.contract
    tests = functools.partial(testing.opened, testing.suite(release.environment, contract), clock=release.clock)
    with builders.opened(release.account, release.environment, contract, open_tests=tests, clock=release.clock) as way:
        return (
            yield from building.carry_out(
                release.account,
                contract.repository,
                release.recipes,
                release.plan.images,
                clock=release.clock,
                wished=supplies.wishes(release.environment, contract.cache_repository),
                connect=way.connect,
                open_tests=way.open_tests,
            )
        )


# The lock


def _refuse_locked(release: Release) -> None:
    """Refuse at once, before anything is built, while somebody else has the lock and we are not to wait."""
    if release.environment.lock.wait_seconds or release.stops or not release.plan.contract.ledger:
        return
    found = lease.holder(release.account.dynamodb, release.plan.contract.ledger)
    if found and not found.gone:
        raise lease.refused(found, release.plan.environment)


def locked(course: Course) -> Generator[events.Event, str | None, bool]:
    """Take the lock, and return whether somebody had it meanwhile; from here on every sleep renews it."""
    release = course.release
    table, dynamodb = release.plan.contract.ledger, release.account.dynamodb
    if not table:
        return False
    if release.stops and (found := lease.holder(dynamodb, table)) and not found.gone:
        lease.break_lease(dynamodb, table, found, by=release.by)
        yield events.Noticed(message=f"the release of {found.name} is stopped: the lock is taken from it")
    claim = lease.Claim(
        environment=release.plan.environment,
        by=release.by,
        commit=release.plan.commit,
        reason=f"{release.plan.action} {course.record.number or ''}".strip(),
    )
    started = release.clock.monotonic()
    taking = lease.acquire(dynamodb, table, claim, settings=release.environment.lock, clock=release.clock)
    course.lease = yield from _noted(taking, "no service was touched")
    course.clock = lease.keeping(release.clock, course.lease)
    course.record.owned_by(course.lease.owner)
    return release.clock.monotonic() - started >= WAITED_SECONDS


def _planned_anew(course: Course, digests: Mapping[str, str], *, waited: bool) -> Steps:
    """Refuse a plan that others have overtaken, or make the same one on what is there now, if we waited for them."""
    release = course.release
    if waited and release.anew:
        course.release = release.anew(release, digests)
        course.record.follow(course.release)
        yield events.Noticed(message="planned anew, with the same images, on what the other release left")
    elif waited and not release.stops:
        raise RefusedError(
            "somebody else was at work while this waited for the lock, so the plan may be true no longer",
            hint="look at the new plan, and deploy again",
        )
    else:
        refuse_stale(release)


def _close_abandoned(course: Course) -> None:
    """Give an end to the releases that died under the lock, which is ours now; this one goes on from the newest."""
    release, number = course.release, course.record.number
    if not release.plan.contract.ledger:
        return
    for one in release.unfinished:
        if one.number != number and one.phase != "images":
            reason = f"it never got to its end; release {number} went on from there"
            ended = replace(one, verdict="interrupted", reason=reason)
            with contextlib.suppress(AwsError):  # somebody else gave it one meanwhile
                ledger.finish(release.account.dynamodb, release.plan.contract.ledger, ended, clock=release.clock)


# Revisions


def _registered(
    course: Course, digests: Mapping[str, str]
) -> Generator[events.Event, str | None, dict[str, Definition]]:
    """Register the revision of every service and scheduled task that gets one; return the services' definitions."""
    plan, release = course.release.plan, course.release
    updated = [one for one in plan.services if one.action == "update" and not course.done_already]
    definitions: dict[str, Definition] = {one.key: _next(release, one, digests) for one in updated}
    for service in plan.services:
        if service.action in ("update", "restore") or (service.action == "attach" and service.revision):
            course.revisions[service.key] = service.revision or _register(course, definitions[service.key])
        if service.action == "update" and not service.revision:
            yield events.Registered(service=service.key, revision=course.revisions[service.key])
    for one in plan.schedules:
        if one.action == "update":
            course.scheduled_revisions[one.key] = one.revision or _register(course, _next(release, one, digests))
    return definitions


def _register(course: Course, definition: Mapping[str, Any]) -> str:
    course.hold()
    answer = course.release.account.ecs.register_task_definition(**definition)
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def _services(course: Course) -> dict[str, str]:
    """Return the revision of every service of the release, as the ledger has it."""
    return {**course.record.entry.services, **course.revisions}


def _scheduled(course: Course) -> dict[str, str]:
    return {**course.record.entry.schedules, **course.scheduled_revisions}


def _next(release: Release, part: ServicePlan | SchedulePlan, digests: Mapping[str, str]) -> dict[str, Any]:
    """Return the task definition to register for *part*."""
    shape = release.account.ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape
    writable = shape.members if shape else {}  # always there; botocore's types do not know
    own = {
        taskdef.TAG_TEMPLATE: str(part.template["taskDefinitionArn"]),
        taskdef.TAG_FINGERPRINT: taskdef.fingerprint(part.template, part.images),
        taskdef.TAG_COMMIT: release.plan.commit,
        taskdef.TAG_RELEASE: release.plan.release,
        **getattr(part, "tags", {}),
    }
    images = role_images(part.images, digests, release.plan.contract.repository)
    return taskdef.next_definition(part.template, images, family=part.family, tags=own, writable=writable)


# The migration


def _migrate(course: Course, definitions: Mapping[str, Definition]) -> Steps:
    """Run the migration as a gate, unless another run of the same release has done it."""
    plan = course.release.plan.migration
    if plan is None:
        return
    if plan.done_by:
        yield events.MigrationSkipped(
            release=plan.done_by, reason=f"release {plan.done_by} ran it with this image and did not get to its end"
        )
        return
    yield from _hook(course, "before_migrate")
    release, revision = course.release, course.revisions[plan.service]
    course.record.enter("migrating", services=_services(course), migration=course.record.migrates(revision))
    course.hold()
    service = release.plan.contract.services[plan.service]
    described = rollout.describe(release.account.ecs, release.cluster, [service.name])[service.name]
    site = migration.Site(cluster=release.cluster, service=service, launch=migration.launch_of(described))
    yield from migration.run(
        release.account,
        site,
        plan,
        definition=definitions[plan.service],
        revision=revision,
        token=hashlib.sha256(f"{course.record.number} {revision}".encode()).hexdigest()[:32],
        clock=course.clock,
    )
    refuse_stale(release, fresh_seconds=0)  # whoever does not ask for the lock is met here
    yield from _hook(course, "after_migrate")


# Scheduled tasks, and the proof


def _move_schedules(course: Course) -> Steps:
    """Have every scheduled task start the release from now on; what AWS refuses takes the release back."""
    moves = [one for one in course.release.plan.schedules if one.action != "unchanged"]
    if not moves:
        return
    course.record.enter("scheduling", only_watching=True)
    for one in moves:
        try:
            course.hold()
            course.moved_schedules.append(one.key)
            moved = schedules.move(course.release.account, one, course.scheduled_revisions[one.key], clock=course.clock)
        except (AwsError, RefusedError) as error:
            yield from restoring.give_up(course, f"{one.key}: {error}")
            raise
        yield moved


def _prove(course: Course, tasks: int, *, of_any_commit: bool = False) -> Steps:
    """Ask the application; a release that does not answer as it should goes back."""
    release = course.release
    settings, url = release.environment.serving, release.plan.contract.url
    address = serving.address(settings, url)
    if not (settings and address and (release.plan.moving or release.plan.unrecorded)):
        return
    if not (tasks or _wanted(release)):
        yield events.Noticed(message=f"{address} was not asked: the desired count of what was released is 0")
        return
    settings = serving.of_any_commit(settings) if of_any_commit else settings
    course.record.enter("proving", only_watching=True)
    try:
        yield from serving.prove(url, settings, commit=release.plan.commit, clock=course.clock, get=release.get)
    except NotServingError as error:
        yield from restoring.not_serving(course, error)


def _wanted(release: Release) -> int:
    """Return how many tasks a release wants that moves nothing: what runs already has to serve too."""
    if release.plan.moving:
        return 0
    names = [one.name for one in release.plan.services]
    found = rollout.describe(release.account.ecs, release.cluster, names)
    return sum(one.get("desiredCount", 0) for one in found.values())


def _hook(course: Course, hook: hooks.Hook, digests: Mapping[str, str] | None = None) -> Steps:
    """Run the project's executable for this moment, if there is one."""
    if not getattr(course.release.environment.hooks, hook):
        return
    plan, entry = course.release.plan, course.record.entry
    images = {role: f"{plan.contract.repository}@{one}" for role, one in (digests or entry.images).items()}
    context = hooks.Context(
        commit=plan.commit,
        action=plan.action,
        release=course.record.number,
        images=images,
        services=tuple(one.key for one in plan.moving),
        url=plan.contract.url,
        by=course.release.by,
    )
    yield from hooks.run(course.release.environment, hook, context, clock=course.clock)


def _name(release: Release, digests: Mapping[str, str]) -> Iterator[events.Event]:
    """Move the tags that follow a release to its images, by role; a release that serves cannot fail by them."""
    roles = {tag: role for role in digests for tag in tags.moving(release.environment, role)}
    wanted = {tag: digests[role] for tag, role in roles.items()}
    try:
        moved = registry.move_tags(release.account.ecr, release.plan.contract.repository, wanted)
    except DeployError as error:
        yield events.Noticed(message=f"the tags that follow a release stay where they were: {error}")
        return
    for tag in moved:
        yield events.Tagged(image=roles[tag], tag=tag, moved=True)


def _noted(steps: Generator[events.Event, None, T], note: str) -> Generator[events.Event, None, T]:
    """Add to a Ctrl-C among *steps* what it leaves behind."""
    try:
        return (yield from steps)
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(note)
        raise
