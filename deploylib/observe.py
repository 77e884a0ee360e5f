"""What is live: everything that a plan is made from, read in parallel and with few calls; nothing is written here."""

from __future__ import annotations

import contextlib
import functools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploylib import aws, lease, ledger, patience, rollout, schedules, stopped, taskdef
from deploylib import contract as contracts
from deploylib.errors import AwsError, ContractError
from deploylib.images import promotion as promotions
from deploylib.images import recipe, stock, upstream
from deploylib.patience import Limit
from deploylib.plan import Live, LiveService
from deploylib.settings import names, store

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    from types_boto3_ecs.client import ECSClient

    from deploylib.aws import Account
    from deploylib.checkout import Checkout
    from deploylib.config import Environment
    from deploylib.contract import Contract, ServiceContract
    from deploylib.images.promotion import Promotion
    from deploylib.images.recipe import LookUp, Recipe
    from deploylib.patience import TargetGroup
    from deploylib.schedules import LiveSchedule
    from deploylib.settings.store import Parameter
    from deploylib.taskdef import Definition

    Signed = tuple[Account, Environment]

PARALLEL_CALLS = 8
GONE = frozenset({"ClusterNotFoundException", "ClientException"})  # of a task definition ECS has no better code


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that a release is planned from. `present` has the digest of each tag that the registry holds.

    `past` is what the ledger says, `by` the ARN of whoever looked.
    """

    live: Live
    recipes: tuple[Recipe, ...]
    present: Mapping[str, str]
    past: Past
    by: str
    schedules: tuple[LiveSchedule, ...] = ()
    limits: Mapping[str, Limit] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


def everything(account: Account, environment: Environment, checkout: Checkout) -> Observed:
    """Return what a release of *checkout* is planned from; the account guard runs beside the first reads.

    Raises `RefusedError` in the wrong account, whatever else fails there.
    """
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        guarded = pool.submit(aws.guard, account, environment)
        reading = pool.submit(contract, account, environment)
        outside = upstream.of(account, environment, lambda: reading.result().repository)
        write = functools.partial(_recipes, environment, checkout, outside)
        written = pool.submit(write, "")
        by = guarded.result()
        found = reading.result()
        held = pool.submit(
            stock.take, account.ecr, found.repository, lambda time: write(time) if time else written.result()
        )
        known = pool.submit(past, account, found, dirty=bool(checkout.dirty))
        planned = pool.submit(schedules.observe, account, found)
        services = live(account, found)
        allowed = pool.submit(limits, account, environment, services)
        return Observed(
            live=with_registered(account, with_settings(account, services), known.result().resumable),
            recipes=held.result().recipes,
            present=held.result().present,
            past=known.result(),
            by=by,
            schedules=planned.result(),
            limits=allowed.result(),
            notices=(*known.result().notices, *outside.notices),
        )


def _recipes(environment: Environment, checkout: Checkout, look_up: LookUp, refreshed: str) -> tuple[Recipe, ...]:
    return recipe.recipes(environment, checkout, look_up, refreshed=refreshed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What the ledger says: the last releases, and who has the lock, if that one is still there.

    `recorded` are the images (role → digest) of the last release that completed, as far as they count.
    """

    recent: ledger.Recent
    holder: lease.Holder | None = None
    recorded: Mapping[str, str] = field(default_factory=dict)

    @property
    def abandoned(self) -> tuple[ledger.Entry, ...]:
        """The releases without an end that nobody is at work on any more, newest first."""
        if self.holder:
            return ()
        return tuple(one for one in self.recent.unfinished if one.phase != "images")

    @property
    def resumable(self) -> ledger.Entry | None:
        """The newest release, if it did not get to its end: what it has registered and migrated need not be again."""
        newest = self.recent.newest
        if newest is None or self.holder or newest.verdict not in ("running", "interrupted"):
            return None
        return newest if newest.phase != "images" else None

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should know before confirming."""
        if self.holder:
            return (f"{self.holder.name} is at work here since {self.holder.since}: {self.holder.reason}",)
        return tuple(_unfinished(one) for one in self.abandoned[:1])


def past(account: Account, contract: Contract, *, dirty: bool = False) -> Past:
    """Read the ledger and the lock, two calls; a contract without a ledger has no past.

    A release of uncommitted changes does not speak for a clean commit, unless this is *dirty*.
    """
    if not contract.ledger:
        return Past(recent=ledger.Recent(since=(), completed=None))
    with ThreadPoolExecutor(2) as pool:
        reading = pool.submit(lease.holder, account.dynamodb, contract.ledger)
        recent, holder = ledger.recent(account.dynamodb, contract.ledger), reading.result()
    completed = recent.completed
    return Past(
        recent=recent,
        holder=holder if holder and not holder.gone else None,
        recorded=completed.images if completed and (dirty or not completed.dirty) else {},
    )


def _unfinished(entry: ledger.Entry) -> str:
    who = f" by {entry.by.rpartition('/')[2]}" if entry.by else ""
    return f"release {entry.number}, begun at {entry.started_at}{who}, was left {entry.phase or 'without an end'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a release is planned on, without its images."""

    live: Live
    past: Past
    schedules: tuple[LiveSchedule, ...]
    limits: Mapping[str, Limit]


def ground(account: Account, environment: Environment, contract: Contract, *, dirty: bool = False) -> Ground:
    """Return what a release whose images are known is planned on, as it is now."""
    found = live(account, contract)
    return Ground(
        live=with_settings(account, found),
        past=past(account, contract, dirty=dirty),
        schedules=schedules.observe(account, contract),
        limits=limits(account, environment, found),
    )


def limits(account: Account, environment: Environment, live: Live) -> dict[str, Limit]:
    """Return how long the rollout of each service may take, by key: as configured, else computed."""
    groups = patience.observe(account, [one.description for one in live.services])
    return {one.key: _limit(environment, one, groups) for one in live.services}


def _limit(environment: Environment, service: LiveService, groups: Mapping[str, TargetGroup]) -> Limit:
    policy = environment.policy(service.key)
    if policy.timeout_seconds:
        return Limit(seconds=policy.timeout_seconds, why=(f"services.{service.key}.timeout_seconds",))
    if environment.rollout.timeout_seconds:
        return Limit(seconds=environment.rollout.timeout_seconds, why=("rollout.timeout_seconds",))
    desired = service.contract.desired_count if service.first else None
    waits = service.contract.codedeploy.waits if service.contract.codedeploy else None
    return patience.limit(service.description, service.template, groups, desired=desired, waits=waits)


def with_registered(account: Account, live: Live, entry: ledger.Entry | None) -> Live:
    """Return *live* with the revisions that *entry*, a release without an end, has registered and ECS does not run."""
    if entry is None:
        return live
    made = {one.key: entry.services.get(one.key, "") for one in live.services}
    wanted = {one.key: made[one.key] for one in live.services if made[one.key] not in ("", one.revision)}
    found = definitions(account.ecs, tuple(wanted.values()))
    services = (replace(one, registered=found.get(wanted.get(one.key, ""))) for one in live.services)
    return replace(live, services=tuple(services))


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """Everything that a release of images is planned from which completed elsewhere; see `Observed`."""

    live: Live
    promotion: Promotion
    past: Past
    by: str
    schedules: tuple[LiveSchedule, ...] = ()
    limits: Mapping[str, Limit] = field(default_factory=dict)


def offered(source: Signed, target: Signed, *, number: int = 0) -> Offered:
    """Return what *target* can take over from *source*: the release of that *number*, or the newest that completed.

    Both accounts are guarded. Raises `RefusedError` in a wrong account, and for a release that did not complete.
    """
    found, by = promotion(source, target, number=number)
    account, environment = target
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        known = pool.submit(past, account, found.target.contract)
        planned = pool.submit(schedules.observe, account, found.target.contract)
        services = live(account, found.target.contract)
        allowed = pool.submit(limits, account, environment, services)
        return Offered(
            live=with_registered(account, with_settings(account, services), known.result().resumable),
            promotion=found,
            past=known.result(),
            by=by,
            schedules=planned.result(),
            limits=allowed.result(),
        )


def promotion(source: Signed, target: Signed, *, number: int = 0) -> tuple[Promotion, str]:
    """Return which images have to be copied for that, and the ARN of whoever looked, in *target*; see `offered`."""
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        guarded = [pool.submit(aws.guard, *one) for one in (source, target)]
        reading = [pool.submit(_side, *one) for one in (source, target)]
        by = [one.result() for one in guarded][-1]
        theirs, ours = (one.result() for one in reading)
    return promotions.plan(theirs, ours, promotions.chosen(theirs, number)), by


def _side(account: Account, environment: Environment) -> promotions.Side:
    return promotions.Side(account=account, environment=environment, contract=contract(account, environment))


def live(account: Account, contract: Contract) -> Live:
    """Return each service of *contract* as ECS has it now.

    One DescribeServices for ten services, one DescribeTaskDefinition for each distinct revision, and one for each
    template that no live revision is an untouched copy of. Raises `ContractError` for what ECS does not have.
    """
    with _applied(contract):
        return _live(account, contract)


@contextlib.contextmanager
def _applied(contract: Contract) -> Iterator[None]:
    """Turn ECS's word that it does not have what *contract* names into a `ContractError`."""
    try:
        yield
    except AwsError as error:
        if error.code not in GONE:
            raise
        raise ContractError(
            f"the contract names what ECS does not have: {error}", hint=f"inv infra.apply --env {contract.environment}"
        ) from error


def _live(account: Account, contract: Contract) -> Live:
    services = contract.services
    described = rollout.describe(account.ecs, contract.cluster, [one.name for one in services.values()])
    if missing := [key for key, one in services.items() if one.name not in described]:
        raise ContractError(
            f"the contract names the service {services[missing[0]].name}, but {contract.cluster} does not have it",
            hint=f"inv infra.apply --env {contract.environment}",
        )
    revisions = {key: described[one.name]["taskDefinition"] for key, one in services.items()}
    running = definitions(account.ecs, tuple(revisions.values()))
    copied = {key: _copied(running[revisions[key]], one) for key, one in services.items()}
    templates = definitions(account.ecs, [services[key].template for key, copy in copied.items() if copy is None])
    return Live(
        contract=contract,
        services=tuple(
            LiveService(
                key=key,
                contract=one,
                description=described[one.name],
                definition=running[revisions[key]],
                template=copied[key] or templates[one.template],
            )
            for key, one in services.items()
        ),
    )


def with_settings(account: Account, live: Live) -> Live:
    """Return *live* with what is to know of the parameters of this environment that its tasks read at their start.

    One GetParameters for ten of them; the tasks of a service are only looked at when one changed after its deployment.
    """
    read = {each.parameter for one in live.services for each in (*_next_reads(live, one), *_reads(live, one))}
    there = store.read(account.ssm, sorted(read), store.Pace(), values=False)
    return replace(live, services=tuple(_informed(account, live, one, there) for one in live.services))


def readers(account: Account, environment: Environment) -> Mapping[str, tuple[str, ...]]:
    """Return which containers (`service/container`) read each setting: as configured, as applied, and as it runs."""
    found = {name: set(users) for name, users in names.declared(environment).items()}
    now = live(account, contract(account, environment))
    for service in now.services:
        for one in (*_reads(now, service), *_next_reads(now, service)):
            if one.parameter == names.parameter(environment, names.setting(one.parameter)):
                found.setdefault(names.setting(one.parameter), set()).add(f"{service.key}/{one.container}")
    return {name: tuple(sorted(users)) for name, users in found.items()}


def _reads(live: Live, service: LiveService) -> tuple[names.Reference, ...]:
    return names.references(service.definition, live.contract.app, live.contract.environment)


def _next_reads(live: Live, service: LiveService) -> tuple[names.Reference, ...]:
    return names.references(service.template, live.contract.app, live.contract.environment)


def _informed(account: Account, live: Live, service: LiveService, there: Mapping[str, Parameter]) -> LiveService:
    """Return *service* with what is missing of what it reads, and what changed, *there* being what is there."""
    reads = _reads(live, service)
    modified = {one.variable: there[one.parameter].modified for one in reads if one.parameter in there}
    return replace(
        service,
        missing=tuple(one for one in _next_reads(live, service) if one.parameter not in there),
        lost=tuple(one for one in reads if one.parameter not in there),
        changed=_changed(account, live.contract.cluster, service, modified),
    )


def _changed(
    account: Account, cluster: str, service: LiveService, modified: Mapping[str, dt.datetime]
) -> tuple[str, ...]:
    """Return the variables of *service* that a running task has a former value of, or may have.

    A task reads them between `createdAt` and `startedAt`; whoever is not sure is told.
    """
    since = service.primary.get("createdAt")
    if since is None or not any(each > since for each in modified.values()):
        return ()
    pages = account.ecs.get_paginator("list_tasks").paginate(cluster=cluster, serviceName=service.contract.name)
    arns = [arn for page in pages for arn in page["taskArns"]]
    created = [one["createdAt"] for one in stopped.describe_tasks(account.ecs, cluster, arns)]
    return tuple(sorted(name for name, each in modified.items() if created and each > min(created)))


def contract(account: Account, environment: Environment) -> Contract:
    """Return *environment*'s contract; raise `ContractError` when it belongs to another account or environment."""
    found = contracts.of(account.ssm, environment)
    if found.account_id == environment.account.id and found.environment == environment.name:
        return found
    raise ContractError(
        f"{environment.contract_parameter} is of {found.environment} in account {found.account_id}, "
        f"not of {environment.name} in {environment.account.id}",
        hint=f"inv infra.apply --env {environment.name}",
    )


def _copied(revision: Definition, service: ServiceContract) -> Definition | None:
    """Return *service*'s template if it need not be read: *revision* is it, or an untouched copy of it."""
    if not service.template:
        return taskdef.own_template(revision)
    if revision["taskDefinitionArn"] == service.template:
        return revision
    return taskdef.template_of(revision, service.template, service.containers)


def definitions(ecs: ECSClient, arns: Sequence[str]) -> Mapping[str, Definition]:
    """Return each task definition with its tags by ARN, one call for each, in parallel."""
    distinct = tuple(dict.fromkeys(arns))
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        return dict(zip(distinct, pool.map(lambda arn: _definition(ecs, arn), distinct), strict=True))


def _definition(ecs: ECSClient, arn: str) -> Definition:
    answer = ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
    return {**answer["taskDefinition"], "tags": answer.get("tags", [])}
