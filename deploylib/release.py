"""A release over several services: images, revisions, the migration as a gate, all rollouts together, one verdict.

All or none: when one service fails, those that had moved are sent back to the revision that they ran before, so that
what serves is one release. The exit code says which state the release left behind, and the ledger has it too.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import hashlib
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from deploylib import aws, config, events, ledger, migration, observe, rollout, serving, stopped, taskdef
from deploylib.errors import (
    AwsError,
    ConfigError,
    DeployError,
    NotRestoredError,
    RefusedError,
    RolledBackError,
    SupersededError,
)
from deploylib.images import building, planning, promotion, registry, supplies, tags, testing
from deploylib.images.recipe import BASE
from deploylib.plan import Origin, plan_release, plan_restart, role_images

if TYPE_CHECKING:
    from deploylib.aws import Account
    from deploylib.checkout import Checkout
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.images.promotion import Promotion
    from deploylib.images.recipe import Recipe
    from deploylib.plan import Plan, ServicePlan
    from deploylib.taskdef import Definition

FRESH_SECONDS = 5.0
LONGEST_REASON = 500

T = TypeVar("T")

Images = Generator[events.Event, None, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A plan with what it takes to execute it.

    *observed_at* is the clock's reading when the plan's facts were read; *by* is who releases, for the ledger. What
    is built is in *recipes*, what is taken from another environment in *promotion*.
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

    @property
    def cluster(self) -> str:
        """The ARN of the cluster that is released into."""
        return self.plan.contract.cluster


def propose(
    environment: Environment,
    account: Account,
    checkout: Checkout,
    *,
    number: str = "",
    sign_in: Callable[[Environment], Account] = aws.signed_in,
    clock: Clock = time,
) -> Release:
    """Observe, and return the release that would bring *environment* up to date.

    It is one of *checkout*, or, where the images are promoted, of the release *number* of the environment that they
    are from; without one, of the newest that completed there.
    """
    if environment.promote_from:
        source = config.load(environment.root, environment.promote_from)
        ends = (sign_in(source), source), (account, environment)
        return _offered(*ends, checkout, number=promotion.parse(number), clock=clock)
    if number:
        raise ConfigError(
            f"--release takes a release of another environment, but {environment.name} builds its own images",
            hint=f'set promote_from = "…" in environments/{environment.name}.toml, or leave --release out',
        )
    observed_at = clock.monotonic()
    observed = observe.everything(account, environment, checkout)
    plan = plan_release(
        environment,
        observed.live,
        planning.plan_images(observed.recipes, observed.present),
        commit=checkout.commit,
        dirty=bool(checkout.dirty),
        release=f"{_timestamp(clock)}-{checkout.commit[:7]}",
        recorded=observed.recorded,
    )
    return Release(
        plan=replace(plan, notices=(*plan.notices, *observed.notices)),
        environment=environment,
        account=account,
        clock=clock,
        observed_at=observed_at,
        recipes=observed.recipes,
        by=observed.by,
    )


def _offered(
    source: observe.Signed, target: observe.Signed, checkout: Checkout, *, number: int, clock: Clock
) -> Release:
    """Observe, and return the release of images that completed in *source*."""
    observed_at = clock.monotonic()
    found = observe.offered(source, target, number=number)
    (account, environment), entry = target, found.promotion.entry
    plan = plan_release(
        environment,
        found.live,
        found.promotion.plans,
        commit=entry.commit,
        dirty=False,
        release=f"{_timestamp(clock)}-{entry.commit[:7]}",
        recorded=found.recorded,
        origin=Origin(environment=found.promotion.source.name, release=entry.number),
    )
    notices = (*plan.notices, *found.notices)
    elsewhere = (
        f"HEAD is {checkout.commit[:12]}, but what is released is {entry.commit[:12]}, "
        f"of release {entry.number} in {found.promotion.source.name}"
    )
    return Release(
        plan=replace(plan, notices=(*notices, *([elsewhere] if checkout.commit != entry.commit else []))),
        environment=environment,
        account=account,
        clock=clock,
        observed_at=observed_at,
        promotion=found.promotion,
        by=found.by,
    )


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
    plan = plan_restart(environment, live, chosen, every=every)
    return Release(plan=plan, environment=environment, account=account, clock=clock, observed_at=observed_at, by=by)


def restart(release: Release) -> Generator[events.Event, None, None]:
    """Carry out a plan that only restarts: nothing is built or registered, and the ledger has no new release.

    Raises `RolledBackError`, `NotRestoredError`, `SupersededError` or `RefusedError`.
    """
    started = release.clock.monotonic()
    _refuse_stale(release)
    tasks = yield from _roll_out(release, {}, {})
    if tasks:
        yield from _prove(_any_commit(release), tasks)
    yield events.Completed(
        seconds=release.clock.monotonic() - started,
        calls=_calls(release),
        url=release.plan.contract.url,
        services=tuple(one.key for one in release.plan.moving),
        restarted=True,
    )


def _any_commit(release: Release) -> Release:
    """Return *release* with a proof that wants no commit: of several services each may be of another one."""
    serving = release.environment.serving
    if serving is None or "{commit}" not in serving.contains:
        return release
    return replace(release, environment=replace(release.environment, serving=replace(serving, contains="")))


def execute(release: Release, images: Images | None = None) -> Generator[events.Event, None, None]:
    """Carry out the release; *images* builds and pushes what is missing, and returns digests by image.

    Raises `ImageError`, `MigrationError`, `RolledBackError`, `NotRestoredError`, `SupersededError` or `RefusedError`;
    what had been done by then is true in the events and in the ledger.
    """
    started = release.clock.monotonic()
    _refuse_stale(release)
    entry = ledger.begin(release.account.dynamodb, release.plan.contract.ledger, _entry(release), clock=release.clock)
    yield events.Began(release=entry.number)
    done = yield from _recorded(release, entry, _carry_out(release, images or _images(release)))
    yield from _name(release, done.images)
    yield events.Completed(
        seconds=release.clock.monotonic() - started,
        calls=_calls(release),
        url=release.plan.contract.url,
        services=tuple(one.key for one in release.plan.moving),
        release=entry.number,
    )


def _calls(release: Release) -> int:
    accounts = (release.account, *((release.promotion.source.account,) if release.promotion else ()))
    return sum(one.calls.total() for one in accounts)


def _carry_out(release: Release, images: Images) -> Generator[events.Event, None, None]:
    """Take every step of the release, from the images to the proof that it serves."""
    digests = yield from _noted(images, "no service was touched; what was pushed stays usable")
    definitions = {one.key: _next(release, one, digests) for one in release.plan.services if one.action == "update"}
    _refuse_stale(release)
    revisions = {}
    for one in release.plan.services:
        if one.action == "update":
            revisions[one.key] = _register(release, definitions[one.key])
            yield events.Registered(service=one.key, revision=revisions[one.key])
    yield from _migrate(release, definitions, revisions)
    tasks = yield from _roll_out(release, definitions, revisions)
    yield from _prove(release, tasks)


def _entry(release: Release) -> ledger.Entry:
    """Return what the ledger is told when the release begins; what moves gets its revisions later."""
    plan = release.plan
    digests = {one.image: one.digest for one in plan.images if one.digest}
    return ledger.Entry(
        release=plan.release,
        commit=plan.commit,
        dirty=plan.dirty,
        environment=plan.environment,
        by=release.by,
        origin=str(plan.origin or ""),
        images={image: digest for image, digest in digests.items() if image != BASE},
        base=digests.get(BASE, ""),
        previous={one.key: one.returns_to for one in plan.moving},
        services={one.key: one.based_on for one in plan.services if one.action != "update"},
    )


def _recorded(
    release: Release, entry: ledger.Entry, steps: Generator[events.Event, None, None]
) -> Generator[events.Event, None, ledger.Entry]:
    """Pass on what *steps* yield, and write into the ledger how they end; that this cannot be written is only said."""
    try:
        with contextlib.closing(steps):
            event = next(steps, None)
            while event:
                entry = _after(entry, event)
                try:
                    yield event
                except KeyboardInterrupt as interrupt:  # the steps know what it leaves behind
                    event = steps.throw(interrupt)
                else:
                    event = next(steps, None)
    except BaseException as error:
        said = " ".join(str(error).split("\n", 1)[0].split())[:LONGEST_REASON]
        if lost := _end(release, replace(entry, verdict=_verdict(error), reason=said)):
            error.add_note(lost)
        raise
    done = replace(entry, verdict="completed")
    if lost := _end(release, done):
        yield events.Noticed(message=lost)
    return done


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


def _after(entry: ledger.Entry, event: events.Event) -> ledger.Entry:
    """Return *entry* with what *event* tells."""
    if isinstance(event, events.Registered):
        return replace(entry, services={**entry.services, event.service: event.revision})
    if isinstance(event, events.Pushed | events.Promoted):
        if event.image == BASE:
            return replace(entry, base=event.digest)
        return replace(entry, images={**entry.images, event.image: event.digest})
    return entry


def _end(release: Release, entry: ledger.Entry) -> str:
    """Write the end of *entry*; return what to say when that fails."""
    try:
        ledger.finish(release.account.dynamodb, release.plan.contract.ledger, entry, clock=release.clock)
    except AwsError as error:
        return f"the ledger does not know that release {entry.number} {_ENDED[entry.verdict]}: {error}"
    return ""


_ENDED: Mapping[ledger.Verdict, str] = {
    "completed": "completed",
    "rolled back": "was rolled back",
    "not restored": "was not restored",
    "superseded": "was superseded",
    "interrupted": "was interrupted",
    "failed": "failed",
}


def _verdict(error: BaseException) -> ledger.Verdict:
    kinds: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], ledger.Verdict], ...] = (
        (RolledBackError, "rolled back"),
        (NotRestoredError, "not restored"),
        (SupersededError, "superseded"),
        ((KeyboardInterrupt, GeneratorExit), "interrupted"),
    )
    return next((verdict for kind, verdict in kinds if isinstance(error, kind)), "failed")


def _noted(steps: Generator[events.Event, None, T], note: str) -> Generator[events.Event, None, T]:
    """Add to a Ctrl-C among *steps* what it leaves behind."""
    try:
        return (yield from steps)
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(note)
        raise


def _images(release: Release) -> Images:
    if release.promotion:
        return (yield from promotion.carry_out(release.promotion, clock=release.clock))
    return (
        yield from building.carry_out(
            release.account,
            release.plan.contract.repository,
            release.recipes,
            release.plan.images,
            clock=release.clock,
            wished=supplies.wishes(release.environment, release.plan.contract.cache_repository),
            open_tests=functools.partial(
                testing.opened, testing.suite(release.environment, release.plan.contract), clock=release.clock
            ),
        )
    )


def _timestamp(clock: Clock) -> str:
    return dt.datetime.fromtimestamp(clock.time(), tz=dt.UTC).strftime("%Y%m%dT%H%M%SZ")


def _next(release: Release, service: ServicePlan, digests: Mapping[str, str]) -> dict[str, Any]:
    """Return the task definition to register for *service*."""
    shape = release.account.ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape
    writable = shape.members if shape else {}  # always there; botocore's types do not know
    tags = {
        taskdef.TAG_TEMPLATE: str(service.template["taskDefinitionArn"]),
        taskdef.TAG_FINGERPRINT: taskdef.fingerprint(service.template, service.images),
        taskdef.TAG_COMMIT: release.plan.commit,
        taskdef.TAG_RELEASE: release.plan.release,
    }
    images = role_images(service, digests, release.plan.contract.repository)
    return taskdef.next_definition(service.template, images, family=service.family, tags=tags, writable=writable)


def _register(release: Release, definition: Mapping[str, Any]) -> str:
    return str(release.account.ecs.register_task_definition(**definition)["taskDefinition"]["taskDefinitionArn"])


def _refuse_stale(release: Release, *, fresh_seconds: float = FRESH_SECONDS) -> None:
    """Refuse to go on when a service is no longer what the plan was made from; so long after that it is not asked."""
    if release.clock.monotonic() - release.observed_at < fresh_seconds:
        return
    names = {one.name: one for one in release.plan.moving if one.action in ("update", "restart")}
    found = rollout.describe(release.account.ecs, release.cluster, list(names))
    for name, one in names.items():
        now = found.get(name, {}).get("taskDefinition", "nothing")
        if now != one.based_on:
            raise RefusedError(
                f"{one.key} runs {_short(now)} by now; the plan was made on {_short(one.based_on)}",
                hint="somebody else released in between: look at the new plan and deploy again",
            )


def _migrate(
    release: Release, definitions: Mapping[str, Definition], revisions: Mapping[str, str]
) -> Iterator[events.Event]:
    plan = release.plan.migration
    if plan is None:
        return
    service = release.plan.contract.services[plan.service]
    described = rollout.describe(release.account.ecs, release.cluster, [service.name])[service.name]
    site = migration.Site(cluster=release.cluster, service=service, launch=migration.launch_of(described))
    revision = revisions[plan.service]
    token = hashlib.sha256(f"{release.plan.release} {revision}".encode()).hexdigest()[:32]
    yield from migration.run(
        release.account,
        site,
        plan,
        definition=definitions[plan.service],
        revision=revision,
        token=token,
        clock=release.clock,
    )
    _refuse_stale(release, fresh_seconds=0)  # two deploys at once meet here


def _roll_out(
    release: Release, definitions: Mapping[str, Definition], revisions: Mapping[str, str]
) -> Generator[events.Event, None, int]:
    """Roll out every service that moves, and return how many tasks are wanted of them."""
    targets: list[rollout.Target] = []
    try:
        for one in release.plan.moving:
            target = _target(release, one, revisions)
            targets.append(target)
            yield events.RolloutStarted(
                service=one.key,
                revision=target.revision,
                deployment=target.deployment,
                desired=target.desired,
                attached=one.action == "attach",
            )
        failed = yield from _watch(release, targets)
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(_goes_on(release, targets))
        raise
    except AwsError as error:
        yield from _after_refusal(release, targets, error)
        raise
    if failed:
        yield from _conclude(release, targets, failed, definitions)
    return sum(one.desired for one in targets)


def _target(release: Release, service: ServicePlan, revisions: Mapping[str, str]) -> rollout.Target:
    """Send the one UpdateService of *service* (or find the deployment under way), and return what to follow."""
    if service.action == "attach":
        described = rollout.describe(release.account.ecs, release.cluster, [service.name])[service.name]
        return rollout.target(service.key, described, previous=service.returns_to)
    if service.action == "restart":
        anew: dict[str, Any] = {"forceNewDeployment": True}
    else:
        count = {} if service.desired_count is None else {"desiredCount": service.desired_count}
        anew = {"taskDefinition": revisions[service.key], **count}
    answer = release.account.ecs.update_service(cluster=release.cluster, service=service.name, **anew)
    return rollout.target(service.key, answer["service"], previous=service.returns_to)


def _watch(release: Release, targets: list[rollout.Target]) -> Generator[events.Event, None, rollout.Outcome | None]:
    """Yield progress; return the outcome that is no success, if there is one."""
    settings, failed = release.environment.rollout, None
    for one in rollout.watch(release.account, release.cluster, targets, settings=settings, clock=release.clock):
        if isinstance(one, events.Event):
            yield one
        elif one.verdict != "done":
            failed = one
    return failed


def _conclude(
    release: Release, targets: list[rollout.Target], failed: rollout.Outcome, definitions: Mapping[str, Definition]
) -> Iterator[events.Event]:
    """Report the failure, bring every service back where that is ours to do, and raise the verdict."""
    target = failed.target
    yield events.RolloutFailed(
        service=target.key,
        verdict=failed.verdict,
        reason=failed.reason,
        tasks=_why(release, target, definitions.get(target.key)),
    )
    what = f"{target.key}: {failed.verdict}: {failed.reason.rstrip('.')}"
    if failed.verdict == "superseded":
        raise SupersededError(what, hint=f"inv deploy --env {release.plan.environment}, when the other one is done")
    if failed.verdict == "not drained":
        raise NotRestoredError(what, hint="the new release serves; find out why the old tasks do not stop")
    restoring = _restore(release, targets, itself=target.key if failed.restores_itself else "")
    restored = yield from _noted(restoring, f"{what}; ECS goes on bringing the previous release back")
    if all(restored.values()):
        raise RolledBackError(f"{what}; the previous release is serving", hint=_next_step(release, target))
    raise NotRestoredError(f"{what}; {_left(release, restored)}", hint=_next_step(release, target))


def _next_step(release: Release, target: rollout.Target) -> str:
    if any(one.key == target.key and one.action == "restart" for one in release.plan.moving):
        name = release.plan.environment
        return f"correct the settings (inv params.list --env {name}), and repeat inv refresh --env {name}"
    return "correct the application, commit, and deploy again"


def _why(release: Release, target: rollout.Target, definition: Definition | None) -> tuple[events.StoppedTask, ...]:
    if definition is None:
        answer = release.account.ecs.describe_task_definition(taskDefinition=target.revision)
        definition = answer["taskDefinition"]
    return stopped.of_deployment(
        release.account, release.cluster, target.name, deployment=target.deployment, definition=definition
    )


def _restore(
    release: Release, targets: list[rollout.Target], *, itself: str
) -> Generator[events.Event, None, dict[str, bool]]:
    """Send each service back to its former revision, and return which of them serve it again.

    ECS brings *itself* back by its own roll-back. A first release has nothing to go back to: its service is set to
    zero tasks, as Terraform left it.
    """
    first = {one.key for one in release.plan.moving if one.first}
    back = [replace(one, revision=one.previous) for one in targets if one.previous and one.key not in first]
    restored = dict.fromkeys((one.key for one in targets), False)
    try:
        for one in targets:
            _send_back(release, one, first=one.key in first, itself=one.key == itself)
        for one in back:
            yield events.Restoring(service=one.key, revision=one.revision)
        for event in rollout.watch_restored(
            release.account, release.cluster, back, settings=release.environment.rollout, clock=release.clock
        ):
            yield event
            if isinstance(event, events.Restored):
                restored[event.service] = True
    except AwsError as error:
        yield events.Noticed(message=f"bringing the services back was refused: {error}")
    return restored


def _send_back(release: Release, target: rollout.Target, *, first: bool, itself: bool) -> None:
    if first:
        release.account.ecs.update_service(
            cluster=release.cluster, service=target.name, taskDefinition=target.previous, desiredCount=0
        )
    elif target.previous not in ("", target.revision) and not itself:  # to where it is, ECS would not move
        release.account.ecs.update_service(cluster=release.cluster, service=target.name, taskDefinition=target.previous)


def _left(release: Release, restored: Mapping[str, bool]) -> str:
    """Say, service by service, what a person finds."""
    first = {one.key for one in release.plan.moving if one.first}
    parts = [
        f"{key} had no release before and is set to zero tasks"
        if key in first
        else f"{key} serves the previous release"
        if back
        else f"{key} does NOT serve the previous release"
        for key, back in restored.items()
    ]
    return "; ".join(parts)


def _after_refusal(release: Release, targets: list[rollout.Target], error: AwsError) -> Iterator[events.Event]:
    """AWS refused an UpdateService, or stopped answering: bring back what had moved, if that can be done."""
    unmoved = {one.key for one in release.plan.moving} - {one.key for one in targets}
    if not unmoved or not targets:
        error.add_note(_goes_on(release, targets))
        return
    yield events.Noticed(message=str(error))
    restored = yield from _restore(release, targets, itself="")
    kind = RolledBackError if all(restored.values()) else NotRestoredError
    raise kind(f"{error}; {_left(release, restored)}", hint=error.hint) from error


def _goes_on(release: Release, targets: list[rollout.Target]) -> str:
    if not targets:
        return "no service was touched"
    names = ", ".join(one.key for one in targets)
    return f"the rollout of {names} goes on in ECS; inv deploy --env {release.plan.environment} follows it"


def _prove(release: Release, tasks: int) -> Iterator[events.Event]:
    settings, url = release.environment.serving, release.plan.contract.url
    if not (settings and url and (release.plan.moving or release.plan.unrecorded)):
        return
    if not (tasks or _wanted(release)):
        yield events.Noticed(message=f"{url} was not asked: the desired count of what was released is 0")
    else:
        yield from serving.prove(url, settings, commit=release.plan.commit, clock=release.clock, get=release.get)


def _wanted(release: Release) -> int:
    """Return how many tasks a release wants that moves nothing: what runs already has to serve too."""
    if release.plan.moving:
        return 0
    names = [one.name for one in release.plan.services]
    found = rollout.describe(release.account.ecs, release.cluster, names)
    return sum(one.get("desiredCount", 0) for one in found.values())


def _short(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]
