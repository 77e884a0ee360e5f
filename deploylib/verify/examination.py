"""Everything that a release needs of an account, asked side by side: reads alone, each subject once.

First what the account has as a whole and what the services look like, then each distinct role, secret, log group,
image, target group and network that they name; the tree is put together of the answers.
"""

from __future__ import annotations

import functools
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from deploylib import aws, observe, rollout, taskdef
from deploylib.contract import ServiceContract
from deploylib.errors import AwsError, DeployError
from deploylib.images.credentials import Credentials
from deploylib.patience import groups_of
from deploylib.verify import definitions, images, quickly, roles, subjects
from deploylib.verify.check import Check, asked, missing, ok, skipped, together
from deploylib.verify.whole import Doors, Here

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

    from deploylib.aws import Account
    from deploylib.config import Environment
    from deploylib.contract import ScheduledTask
    from deploylib.taskdef import Definition
    from deploylib.verify.definitions import Description, Needs

PARALLEL_CALLS = 8
REAL = Doors()
REST = ("cluster", "ledger", "lock", "clock", "permissions", "services")


def examine(account: Account, environment: Environment, *, doors: Doors = REAL) -> tuple[Check, ...]:
    """Return whether each thing is there that a release of *environment* needs. Nothing is written."""
    found: list[Check] = []
    try:
        caller = aws.guard(account, environment)
        found.append(ok("account", f"{environment.account.id}, {environment.account.region}, as {caller}"))
        contract = observe.contract(account, environment)
        found.append(ok("contract", environment.contract_source))
    except DeployError as error:
        what = "contract" if found else "account"
        rest = (skipped(one, f"needs the {what}") for one in REST)
        return (*found, missing(what, str(error).splitlines()[0], error.hint), *rest)
    here = Here(account=account, environment=environment, contract=contract, caller=caller, doors=doors)
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        return (*found, *_Examination(here, pool).results())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One service or scheduled task: what ECS says of it, the definition of its next tasks, and that of its present."""

    key: str
    contract: ServiceContract | ScheduledTask
    description: Description = field(default_factory=dict)
    next: Definition | None = None
    now: Definition | None = None

    @property
    def needed(self) -> Needs:
        """What its next tasks need; its managed images are not known there."""
        return definitions.needs(self.next or {"containerDefinitions": ()})

    @property
    def images(self) -> tuple[tuple[str, str], ...]:
        """Each container with its image: a managed one with the one that it has now, none before a release."""
        now = dict(definitions.needs(self.now).images) if self.now else {}
        return tuple(
            (container, now.get(container, "") if container in self.contract.containers else image)
            for container, image in self.needed.images
        )


class _Examination:
    """The questions about an account and its jobs; every subject is asked once, whoever names it."""

    def __init__(self, here: Here, pool: ThreadPoolExecutor) -> None:
        self._here, self._pool = here, pool
        self._asked: dict[Hashable, Future[Check]] = {}
        known = Credentials(
            account=here.account, environment=here.environment, repository=lambda: here.contract.repository
        )
        self._registry = here.doors.registries(known)

    def results(self) -> tuple[Check, ...]:
        """Return the whole tree."""
        whole = [self._ask(what, what, ask) for what, ask in self._here.questions.items()]
        try:
            services, scheduled = tuple(self._services()), tuple(self._scheduled())
        except AwsError as error:
            return (*(one.result() for one in whole), skipped("services", str(error).splitlines()[0]))
        begun = [(one, self._begin(one)) for one in (*services, *scheduled)]
        trees = [self._tree(job, answers) for job, answers in begun]
        return (
            *(one.result() for one in whole),
            together("services", trees[: len(services)]),
            *([together("scheduled tasks", trees[len(services) :])] if scheduled else []),
            *self._migration(services),
        )

    # What there is

    def _services(self) -> Iterator[_Job]:
        contract = self._here.contract
        names = [one.name for one in contract.services.values()]
        described = rollout.describe(self._here.account.ecs, contract.cluster, names)
        revisions = [str(one["taskDefinition"]) for one in described.values()]
        known = self._definitions([*(one.template for one in contract.services.values()), *revisions])
        for key, one in contract.services.items():
            description = described.get(one.name, {})
            live = known.get(str(description.get("taskDefinition", "")))
            released = live is not None and taskdef.family(str(live["taskDefinitionArn"])) == one.family
            yield _Job(
                key=key,
                contract=one,
                description=description,
                next=known.get(one.template) if one.template else live,
                now=live if released else None,
            )

    def _scheduled(self) -> Iterator[_Job]:
        tasks = self._here.contract.scheduled_tasks
        known = self._definitions(name for one in tasks.values() for name in (one.template, one.family))
        for key, one in tasks.items():
            yield _Job(key=key, contract=one, next=known.get(one.template or one.family), now=known.get(one.family))

    def _definitions(self, names: Iterable[str]) -> dict[str, Definition]:
        """Return the definitions that there are, by their ARN; the newest of a family by that."""
        distinct = [one for one in dict.fromkeys(names) if one]
        found = self._pool.map(self._definition, distinct)
        return {name: one for name, one in zip(distinct, found, strict=True) if one is not None}

    def _definition(self, name: str) -> Definition | None:
        try:
            return self._here.account.ecs.describe_task_definition(taskDefinition=name)["taskDefinition"]
        except AwsError as error:
            if error.code not in observe.GONE:
                raise
            return None

    # What is asked

    def _ask(self, key: Hashable, what: str, ask: Callable[..., Check], *about: Any) -> Future[Check]:
        """Begin to ask, unless *key* was asked for already."""
        if key not in self._asked:
            self._asked[key] = self._pool.submit(asked, what, functools.partial(ask, *about))
        return self._asked[key]

    def _begin(self, job: _Job) -> dict[str, list[Future[Check]]]:
        """Begin to ask for everything that *job* names; return the answers to come, by their branch of the tree."""
        if job.next is None:
            return {}
        return {
            "target groups": list(self._target_groups(job)),
            "images": list(self._images(job)),
            "roles": list(self._roles(job.needed)),
            "secrets": list(self._secrets(job.needed)),
            "log groups": [
                self._ask(one, one.name, subjects.log_group, self._here, one) for one in job.needed.log_groups
            ],
            "network": list(self._network(job)),
        }

    def _target_groups(self, job: _Job) -> Iterator[Future[Check]]:
        for arn in groups_of(job.description):
            about = self._here.account, self._here.environment, {arn: job.next}
            yield self._ask((arn, job.key), definitions.group_name(arn), quickly.judged_groups, *about)

    def _images(self, job: _Job) -> Iterator[Future[Check]]:
        deploy = f"inv deploy --env {self._here.environment.name}"
        for container, image in job.images:
            mend = deploy if container in job.contract.containers else ""
            wanted = images.Wanted(container=container, image=image, platform=job.needed.platform, mend=mend)
            if image:
                yield self._ask(wanted, container, images.present, self._registry, wanted)
            else:
                yield self._ask((job.key, container), container, skipped, container, "nothing was released yet")

    def _roles(self, needed: Needs) -> Iterator[Future[Check]]:
        here, execution = self._here, needed.execution_role
        for role in dict.fromkeys(filter(None, (execution, needed.task_role))):
            about = here.account.iam, role, here.environment.account.id, here.mend
            yield self._ask(role, f"role {role.rpartition('/')[2]}", roles.trust, *about)
        for one in roles.questions(needed, here.place) if execution else ():
            what = f"may {one.what}"
            yield self._ask((execution, one), what, roles.ability, here.account, execution, one, here.mend)

    def _secrets(self, needed: Needs) -> Iterator[Future[Check]]:
        if wanted := needed.parameters:
            yield self._ask(wanted, "parameters", subjects.parameters, self._here, wanted)
        for arn in needed.secrets:
            yield self._ask(arn, subjects.name_of(arn), subjects.secret, self._here, arn)

    def _network(self, job: _Job) -> Iterator[Future[Check]]:
        if job.next and job.next.get("networkMode") == "awsvpc" and job.contract.subnets:
            about = tuple(sorted(job.contract.subnets)), tuple(subjects.services_of(job.needed))
            public = job.contract.assign_public_ip
            yield self._ask((*about, public), subjects.WAY, subjects.way_out, self._here, *about, public)
        if groups := tuple(sorted(job.contract.security_groups)):
            yield self._ask(groups, subjects.GROUPS, subjects.security_groups, self._here, groups)

    # The tree

    def _tree(self, job: _Job, begun: Mapping[str, Sequence[Future[Check]]]) -> Check:
        """Wait for the answers of *job* and put its branch together."""
        branches = (_branch(what, found) for what, found in begun.items() if found)
        return together(job.key, (*self._fitting(job), *branches))

    def _fitting(self, job: _Job) -> Iterator[Check]:
        one, mend = job.contract, self._here.mend
        is_service = isinstance(one, ServiceContract)
        if is_service and not job.description:
            yield missing("service", f"{one.name} is not in the cluster", mend)
        if job.next is None:
            yield missing("task definition", f"{one.template or one.family} is not there", mend)
        elif isinstance(one, ServiceContract) and job.description:
            yield from definitions.fitting(job.description, one, job.next, mend).parts
        else:
            yield definitions.containers(one, job.next, mend)

    def _migration(self, services: Iterable[_Job]) -> tuple[Check, ...]:
        wanted = self._here.environment.migration
        if wanted is None:
            return ()
        found = next((one.next for one in services if one.key == wanted.service), None)
        return (definitions.migration(wanted, found, self._here.mend),)


def _branch(what: str, found: Iterable[Future[Check]]) -> Check:
    """Return the answers under one name; a tree of its own takes that name."""
    answers = [one.result() for one in found]
    return replace(answers[0], what=what) if len(answers) == 1 and answers[0].parts else together(what, answers)
