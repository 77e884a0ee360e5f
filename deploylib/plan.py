"""What a deploy will change, as a frozen value made purely from what was observed."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from deploylib import refusals, strategies, taskdef
from deploylib.errors import ConfigError
from deploylib.images.recipe import BASE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from deploylib.config import Environment, Migration, ServiceRelease
    from deploylib.contract import Contract, ServiceContract
    from deploylib.images.planning import ImagePlan
    from deploylib.ledger import Entry
    from deploylib.patience import Limit
    from deploylib.schedules import SchedulePlan
    from deploylib.settings import names
    from deploylib.strategies import Strategy

UNRECORDED = "no release that completed has these images, although they run: it is looked whether they serve"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveService:
    """One service as ECS has it now: its description, the revision that it runs, Terraform's template.

    *registered* is the revision that a release which did not get to its end made for it, if it does not run.
    Of the parameters that its containers read: *missing* are those that the template names and nobody has written,
    *lost* those of the live revision; *changed* are the variables that running tasks have a former value of.
    """

    key: str
    contract: ServiceContract
    description: Mapping[str, Any]
    definition: taskdef.Definition
    template: taskdef.Definition
    registered: taskdef.Definition | None = None
    missing: tuple[names.Reference, ...] = ()
    lost: tuple[names.Reference, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def revision(self) -> str:
        """The ARN of the task definition that the service is set to."""
        return str(self.description["taskDefinition"])

    @property
    def primary(self) -> Mapping[str, Any]:
        """The deployment that ECS is steering to."""
        return next((one for one in self.description["deployments"] if one["status"] == "PRIMARY"), {})

    @property
    def deployment(self) -> str:
        """The id of that deployment; CodeDeploy's own, where it made it."""
        return str(self.primary.get("externalId") or self.primary.get("id", ""))

    @property
    def strategy(self) -> Strategy:
        """How it moves to a new revision."""
        return strategies.of(self.description)

    @property
    def course(self) -> tuple[str, ...]:
        """What happens on its way there, in words: waits, steps of the traffic; nothing where it rolls."""
        if self.strategy == "codedeploy" and self.contract.codedeploy:
            return self.contract.codedeploy.course
        return strategies.course(self.description)

    @property
    def returns_to(self) -> str:
        """The revision to go back to when a release fails: the last one that completed; nothing when none did.

        A service that was never released into goes back to Terraform's template, at zero tasks.
        """
        if self.first:
            return self.revision
        completed = (one for one in self.description["deployments"] if one.get("rolloutState") == "COMPLETED")
        last = next((str(one["taskDefinition"]) for one in completed), "")
        return last or ("" if self.primary.get("rolloutState") == "FAILED" else self.revision)

    @property
    def desired(self) -> int:
        """How many tasks are wanted."""
        return int(self.description.get("desiredCount", 0))

    @property
    def running(self) -> int:
        """How many tasks run, of whatever revision."""
        return int(self.description.get("runningCount", 0))

    @property
    def first(self) -> bool:
        """Whether nothing was ever released into this service: it still stands on Terraform's template."""
        return bool(self.contract.template) and taskdef.family(self.revision) != self.contract.family


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What a deploy found: the contract, and each of its services."""

    contract: Contract
    services: tuple[LiveService, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """What happens to one service.

    `update`: a revision is made from *template* with *images* (container → role) and rolled out; `attach`: exactly
    this is rolling out already, and is followed; `restart`: its revision is rolled out anew, so that its tasks read
    their settings; `restore`: it goes to *revision*, which ran before; `scale`: it gets `desired_count` tasks;
    `unchanged`: it runs. `desired_count` is sent by the first release too, and where a service at zero is to start.
    `based_on` is the revision that was live when the plan was made, `returns_to` the one to go back to. An update with
    a *revision* takes that one, which a release that did not get to its end has registered. It moves *after* these
    services; *limit* is how long that may take, and why; *strategy* is the live service's, *course* what happens on
    the way, in words.
    """

    key: str
    name: str
    family: str
    action: Literal["update", "attach", "restart", "restore", "scale", "unchanged"]
    reason: str
    based_on: str
    returns_to: str
    template: taskdef.Definition
    images: Mapping[str, str]
    differences: tuple[taskdef.Difference, ...] = ()
    desired_count: int | None = None
    deployment: str = ""
    first: bool = False
    revision: str = ""
    desired: int = 0
    running: int = 0
    after: tuple[str, ...] = ()
    limit: Limit | None = None
    strategy: Strategy = "rolling"
    course: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationPlan:
    """The one-off task that runs before any service moves.

    *image* is the digest (or tag) that it runs. Release *done_by* did it already, with the same image and command, and
    did not get to its end; or it was left there, running or done, as a task of the revision *left*.
    """

    service: str
    container: str
    command: tuple[str, ...]
    timeout_seconds: float
    image: str = ""
    done_by: int = 0
    left: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The release that promoted images are from: number *release* in *environment*'s ledger."""

    environment: str
    release: int

    def __str__(self) -> str:
        return f"{self.environment} {self.release}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One release: its images, its migration, its services. `release` names it; `commit` is the full SHA-1.

    *unrecorded*: all of it runs, but the ledger's last release that completed had other images, or there is none; a
    run was interrupted, perhaps. It is proved and written down then.

    A `rollback` *restores* the release of that number. *continues* is a release that never got to its end, and that
    this one goes on from. *irreversible*: what its migration does cannot be undone by going back.
    """

    environment: str
    contract: Contract
    commit: str
    dirty: bool
    release: str
    images: tuple[ImagePlan, ...]
    migration: MigrationPlan | None
    services: tuple[ServicePlan, ...]
    notices: tuple[str, ...] = ()
    unrecorded: bool = False
    origin: Origin | None = None
    action: Literal["release", "rollback", "restart", "scale"] = "release"
    restores: int = 0
    continues: Entry | None = None
    irreversible: bool = False
    schedules: tuple[SchedulePlan, ...] = ()

    @property
    def moving(self) -> tuple[ServicePlan, ...]:
        """The services that something happens to."""
        return tuple(one for one in self.services if one.action != "unchanged")

    @property
    def nothing_to_do(self) -> bool:
        """Whether nothing has to be built or rolled out; that an old image lacks a new commit's tag is no reason."""
        reverts = self.action == "rollback" and self.continues is not None  # its entry gets its end
        moves = self.moving or reverts or any(one.action != "unchanged" for one in self.schedules)
        return not (moves or self.unrecorded) and all(one.action == "reuse" for one in self.images)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What else a release is planned from: how long each service may take; the newest release, if it is unfinished."""

    limits: Mapping[str, Limit] = field(default_factory=dict)
    unfinished: Entry | None = None
    irreversible: bool = False


def plan_release(
    environment: Environment,
    live: Live,
    images: tuple[ImagePlan, ...],
    *,
    commit: str,
    dirty: bool,
    release: str,
    recorded: Mapping[str, str] | None = None,
    origin: Origin | None = None,
    beside: Beside | None = None,
) -> Plan:
    """Return what releasing *images* would change in *live*.

    *recorded* are the images (role → digest) of the last release that completed; None: that does not matter.
    *origin* is where the images were released before, if they are promoted; *beside* what else was observed.
    """
    beside = beside or Beside()
    refusals.refuse_other_way(environment, live)
    references = image_references(live.contract, images)
    if origin:
        refusals.refuse_unreleased(live, references, origin)
    services = tuple(_plan_service(environment, one, references, beside) for one in live.services)
    moving = {one.key for one in services if one.action == "update"}
    refusals.refuse_missing(environment, [(one, one.missing) for one in live.services if one.key in moving])
    runs = all(one.action == "unchanged" for one in services)
    unrecorded = runs and recorded is not None and dict(recorded) != _digests(images)
    continues = beside.unfinished if moving or unrecorded else None
    migration = _plan_migration(environment.migration, services)
    return Plan(
        environment=environment.name,
        contract=live.contract,
        commit=commit,
        dirty=dirty,
        release=release,
        images=images,
        migration=_carried_on(migration, beside.unfinished, references, live) if migration else None,
        services=services,
        notices=(
            *(notice for one in live.services if (notice := refusals.notice(environment, one))),
            *refusals.settings_notices(environment, [one for one in live.services if one.key not in moving]),
            *([UNRECORDED] if unrecorded else []),
        ),
        unrecorded=unrecorded,
        origin=origin,
        continues=continues,
        irreversible=beside.irreversible,
    )


def plan_restart(
    environment: Environment,
    live: Live,
    chosen: Collection[str] = (),
    *,
    every: bool = False,
    limits: Mapping[str, Limit] | None = None,
) -> Plan:
    """Return the plan that rolls out what runs anew, so that tasks read their settings as they are now.

    Of the services whose settings changed, of those *chosen*, or of *every* one. Raises `ConfigError` for a service
    that the contract does not have, `RefusedError` for one that is rolling out or could not start.
    """
    if unknown := sorted(set(chosen) - {one.key for one in live.services}):
        have = ", ".join(one.key for one in live.services)
        raise ConfigError(f"{environment.name} has no service {unknown[0]!r}", hint=f"it has {have}")
    refusals.refuse_other_way(environment, live)
    found = (_restart(one, asked=every or one.key in chosen, others=not chosen) for one in live.services)
    services = tuple(replace(one, limit=(limits or {}).get(one.key)) for one in found)
    moving = {one.key for one in services if one.action == "restart"}
    refusals.refuse_under_way(environment, [one for one in live.services if one.key in moving])
    refusals.refuse_missing(environment, [(one, one.lost) for one in live.services if one.key in moving])
    commits = (taskdef.tag(one.definition, taskdef.TAG_COMMIT) for one in live.services)
    return Plan(
        environment=environment.name,
        contract=live.contract,
        commit=next(filter(None, commits), ""),
        dirty=False,
        release="",
        images=(),
        migration=None,
        services=services,
        action="restart",
    )


def image_references(contract: Contract, images: Iterable[ImagePlan]) -> dict[str, str]:
    """Return how a task definition names the image of each role: by digest, or by the tag that it will get."""
    return {one.image: _reference(contract, one) for one in images}


def role_images(images: Mapping[str, str], digests: Mapping[str, str], repository: str) -> dict[str, str]:
    """Return the image reference of each managed container, by digest; *images* maps these to their roles."""
    return {container: f"{repository}@{digests[role]}" for container, role in images.items()}


def _restart(live: LiveService, *, asked: bool, others: bool) -> ServicePlan:
    """Return what a refresh does to one service: *asked* for by name, or among the *others* if a setting changed."""
    idle = live.first or live.desired == 0
    moves = not idle and (asked or (others and bool(live.changed)))
    since = f"{', '.join(live.changed)} changed since its tasks started" if live.changed else ""
    still = "nothing of it runs" if idle else "not asked for" if since else "its tasks have the settings as they are"
    return ServicePlan(
        key=live.key,
        name=live.contract.name,
        family=live.contract.family,
        action="restart" if moves else "unchanged",
        reason=(since or "asked for") if moves else still,
        based_on=live.revision,
        returns_to=live.returns_to,
        template=live.template,
        images=live.contract.containers,
        desired=live.desired,
        running=live.running,
        strategy=live.strategy,
        course=live.course,
    )


def _digests(images: tuple[ImagePlan, ...]) -> dict[str, str]:
    return {one.image: one.digest for one in images if one.image != BASE}


def _reference(contract: Contract, image: ImagePlan) -> str:
    """Return the image by digest, or by the tag that it will be pushed under."""
    return f"{contract.repository}@{image.digest}" if image.digest else f"{contract.repository}:{image.tags[-1]}"


def _plan_service(
    environment: Environment, live: LiveService, references: Mapping[str, str], beside: Beside
) -> ServicePlan:
    policy = environment.policy(live.key)
    images = _images(live, references)
    proposed = taskdef.next_definition(
        live.template, images, family=live.contract.family, tags={}, writable=live.template.keys()
    )
    differences = taskdef.differences(live.definition, proposed)
    action, reason = _action(live, differences)
    return ServicePlan(
        key=live.key,
        name=live.contract.name,
        family=live.contract.family,
        action=action,
        reason=reason,
        based_on=live.revision,
        returns_to=live.returns_to,
        template=live.template,
        images=live.contract.containers,
        differences=differences,
        desired_count=_desired_count(live, policy),
        deployment=live.deployment if action == "attach" else "",
        first=live.first,
        revision=_registered(live, proposed) if action == "update" else "",
        after=policy.after,
        limit=beside.limits.get(live.key),
        desired=live.desired,
        running=live.running,
        strategy=live.strategy,
        course=live.course,
    )


def _desired_count(live: LiveService, policy: ServiceRelease) -> int | None:
    """Return the count to send with the revision: none but for a service at zero that is to start."""
    if live.first:
        return live.contract.desired_count
    return policy.start_at_zero if live.desired == 0 else None


def _registered(live: LiveService, proposed: taskdef.Definition) -> str:
    """Return the revision that is just what would be registered, if an unfinished release has made it."""
    found = live.registered
    if found is None or found.get("status") != "ACTIVE" or taskdef.differences(found, proposed):
        return ""
    return str(found["taskDefinitionArn"])


def _images(live: LiveService, references: Mapping[str, str]) -> dict[str, str]:
    """Return the image of each managed container; raise `ConfigError` for a role that no image is made for."""
    if missing := sorted(set(live.contract.containers.values()) - set(references)):
        raise ConfigError(
            f"service {live.key} runs the role {missing[0]!r}, but images.roles has no such role",
            hint=f"add [images.roles.{missing[0]}] to environments/common.toml",
        )
    return {container: references[role] for container, role in live.contract.containers.items()}


def _action(
    live: LiveService, differences: tuple[taskdef.Difference, ...]
) -> tuple[Literal["update", "attach", "unchanged"], str]:
    if live.first:
        return "update", "first release"
    if not differences:
        if live.primary.get("rolloutState") == "FAILED":
            return "update", "its last rollout failed"
        if live.primary.get("rolloutState") == "IN_PROGRESS":
            return "attach", "this very revision is rolling out already"
        return "unchanged", "runs these images on this template already"
    known = taskdef.tag(live.definition, taskdef.TAG_TEMPLATE)
    new_template = bool(live.contract.template) and known != str(live.template.get("taskDefinitionArn"))
    images = any(one.path.endswith(".image") for one in differences)
    return "update", " and ".join(["new image"] * images + ["new template from Terraform"] * new_template) or "changed"


def _plan_migration(migration: Migration | None, services: tuple[ServicePlan, ...]) -> MigrationPlan | None:
    """The migration runs when the service whose image carries it gets a new revision."""
    if migration is None:
        return None
    service = next((one for one in services if one.key == migration.service), None)
    if service is None:
        raise ConfigError(
            f"migration.service is {migration.service!r}, which the contract does not have",
            hint=f"it has {', '.join(one.key for one in services)}; correct the file, or inv infra.apply",
        )
    if service.action != "update":
        return None
    return MigrationPlan(
        service=service.key,
        container=migration.container,
        command=migration.command,
        timeout_seconds=migration.timeout_seconds,
    )


def _carried_on(
    migration: MigrationPlan, unfinished: Entry | None, references: Mapping[str, str], live: Live
) -> MigrationPlan:
    """Return *migration* with what an unfinished release has done of it: the same command, with the same image."""
    service = next(one for one in live.services if one.key == migration.service)
    image = references[service.contract.containers[migration.container]].rpartition("@")[2]
    planned = replace(migration, image=image)
    known = unfinished.migration if unfinished else {}
    if not unfinished or (known.get("image"), known.get("command")) != (image, shlex.join(migration.command)):
        return planned
    if known.get("state") == "done":
        return replace(planned, done_by=unfinished.number)
    return replace(planned, left=known.get("revision", ""))
