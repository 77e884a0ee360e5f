"""A plan as the facts that are shown: the page for a person and the JSON document have the same ones.

No secret gets here: what an environment variable that is named like one holds is replaced, and so is a password in
an address. References to secrets (`valueFrom`) are no secrets and stay.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from deploylib import secrecy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploylib.images.planning import ImagePlan
    from deploylib.ledger import Entry
    from deploylib.plan import MigrationPlan, Plan, ServicePlan
    from deploylib.schedules import SchedulePlan
    from deploylib.taskdef import Difference

ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedImage:
    """What happens to one image. `tag` is the last of its tags; `digest` is empty until the registry has it."""

    image: str
    action: Literal["reuse", "build", "promote"]
    reason: str
    tag: str
    digest: str = ""
    missing_tags: tuple[str, ...] = ()
    taken_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMigration:
    """The command that runs before any service moves, and where; release *done_by* (0: none) ran it already."""

    service: str
    container: str
    command: tuple[str, ...]
    timeout_seconds: float
    image: str = ""
    done_by: int = 0
    left: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDifference:
    """One value of the task definition that changes; `old` is null where it is new, `new` where it goes."""

    path: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLimit:
    """How long a rollout may take, and what that is made of."""

    seconds: float
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedService:
    """What happens to one service. `desired_count` is set by its first release, and where it starts from zero.

    `desired` and `running` are the counts as they are now; `revision` is one that is there already; `strategy` is how
    the live service moves, `course` what happens on the way, in words.
    """

    service: str
    name: str
    action: Literal["update", "attach", "restart", "restore", "scale", "unchanged"]
    reason: str
    based_on: str
    desired_count: int | None = None
    differences: tuple[PlannedDifference, ...] = ()
    template: str = ""
    returns_to: str = ""
    revision: str = ""
    desired: int = 0
    running: int = 0
    after: tuple[str, ...] = ()
    limit: PlannedLimit | None = None
    strategy: Literal["rolling", "codedeploy", "blue/green", "linear", "canary"] = "rolling"
    course: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSchedule:
    """What happens to one scheduled task; `schedule` is the name of what starts it, `state` ENABLED or DISABLED."""

    task: str
    schedule: str
    action: Literal["update", "restore", "unchanged"]
    reason: str
    based_on: str
    state: str = ""
    template: str = ""
    returns_to: str = ""
    revision: str = ""
    differences: tuple[PlannedDifference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedContinuation:
    """The release that never got to its end, and that this one goes on from: in which `phase` it was left."""

    release: int
    commit: str
    phase: str
    by: str
    started_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedOrigin:
    """The release of another environment that the images are from."""

    environment: str
    release: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A whole plan. *unrecorded*: everything runs already, and has to be proved and written into the ledger.

    *restores* is the release that a rollback goes back to; *irreversible*: its migration cannot be undone so.
    """

    app: str
    environment: str
    account_id: str
    region: str
    commit: str
    dirty: bool
    release: str
    url: str
    nothing_to_do: bool
    images: tuple[PlannedImage, ...]
    migration: PlannedMigration | None
    services: tuple[PlannedService, ...]
    notices: tuple[str, ...]
    origin: PlannedOrigin | None = None
    unrecorded: bool = False
    action: Literal["release", "rollback", "restart", "scale"] = "release"
    restores: int = 0
    continues: PlannedContinuation | None = None
    irreversible: bool = False
    schedules: tuple[PlannedSchedule, ...] = ()


def planned(plan: Plan) -> Planned:
    """Return what is shown of *plan*."""
    return Planned(
        app=plan.contract.app,
        environment=plan.environment,
        account_id=plan.contract.account_id,
        region=plan.contract.region,
        commit=plan.commit,
        dirty=plan.dirty,
        release=plan.release,
        url=plan.contract.url,
        nothing_to_do=plan.nothing_to_do,
        images=tuple(_image(one) for one in plan.images),
        migration=_migration(plan.migration),
        services=tuple(_service(one) for one in plan.services),
        notices=plan.notices,
        origin=PlannedOrigin(environment=plan.origin.environment, release=plan.origin.release) if plan.origin else None,
        unrecorded=plan.unrecorded,
        action=plan.action,
        restores=plan.restores,
        continues=_continuation(plan.continues) if plan.continues else None,
        irreversible=plan.irreversible,
        schedules=tuple(_schedule(one) for one in plan.schedules),
    )


def _image(image: ImagePlan) -> PlannedImage:
    return PlannedImage(
        image=image.image,
        action=image.action,
        reason=image.reason,
        tag=image.tags[-1] if image.tags else "",
        digest=image.digest,
        missing_tags=image.missing_tags,
        taken_tags=image.taken_tags,
    )


def _migration(migration: MigrationPlan | None) -> PlannedMigration | None:
    if migration is None:
        return None
    return PlannedMigration(
        service=migration.service,
        container=migration.container,
        command=migration.command,
        timeout_seconds=migration.timeout_seconds,
        image=migration.image,
        done_by=migration.done_by,
        left=migration.left,
    )


def _continuation(entry: Entry) -> PlannedContinuation:
    return PlannedContinuation(
        release=entry.number, commit=entry.commit, phase=entry.phase, by=entry.by, started_at=entry.started_at
    )


def _schedule(schedule: SchedulePlan) -> PlannedSchedule:
    return PlannedSchedule(
        task=schedule.key,
        schedule=schedule.name,
        action=schedule.action,
        reason=schedule.reason,
        based_on=schedule.based_on,
        state=schedule.state,
        template=str(schedule.template.get("taskDefinitionArn", "")),
        returns_to=schedule.returns_to,
        revision=schedule.revision,
        differences=tuple(_difference(one) for one in schedule.differences),
    )


def _service(service: ServicePlan) -> PlannedService:
    return PlannedService(
        service=service.key,
        name=service.name,
        action=service.action,
        reason=service.reason,
        based_on=service.based_on,
        desired_count=service.desired_count,
        differences=tuple(_difference(one) for one in service.differences),
        template=str(service.template.get("taskDefinitionArn", "")),
        returns_to=service.returns_to,
        revision=service.revision,
        desired=service.desired,
        running=service.running,
        after=service.after,
        limit=PlannedLimit(seconds=service.limit.seconds, why=service.limit.why) if service.limit else None,
        strategy=service.strategy,
        course=service.course,
    )


def _difference(difference: Difference) -> PlannedDifference:
    """Return *difference* without secrets; its path says which of them are environment variables."""
    path = difference.path.removeprefix("containerDefinitions.")
    shown = functools.partial(_shown, where=path.split(".")[1:])  # within its container
    return PlannedDifference(path=path, old=shown(difference.old), new=shown(difference.new))


def _shown(value: Any, where: Sequence[str]) -> Any:
    """Return what stands at *where* of a container as it may be shown."""
    if where[:1] == [ENVIRONMENT] and len(where) > 1:
        return _without_secrets(value, ".".join(where[1:]))
    return _variables(value) if where == [ENVIRONMENT] else _without_secrets(value)


def _without_secrets(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _variables(one) if key == ENVIRONMENT else _without_secrets(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(one) for one in value]
    if not isinstance(value, str):
        return value
    return secrecy.variable(name, value)


def _variables(environment: Any) -> Any:
    """Return environment variables as they may be shown: by name, or as a list where a name is there twice."""
    if isinstance(environment, list | tuple):
        return [_variable(one) for one in environment]
    if not isinstance(environment, Mapping):
        return _without_secrets(environment)
    return {name: _without_secrets(value, name) for name, value in environment.items()}


def _variable(one: Any) -> Any:
    if not isinstance(one, Mapping):
        return _without_secrets(one)
    return {
        key: _without_secrets(value, str(one.get("name", "")) if key == "value" else "") for key, value in one.items()
    }
