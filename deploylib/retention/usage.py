"""What needs images: tasks, services, schedules, releases. It only reads, and whatever it cannot read it refuses.

Every ECS cluster of the account and region counts, not only the environment's: whoever may pull from the repository may
run its images. What is no task of ECS (Lambda, App Runner, another account or region) is not seen.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib import ledger, taskdef
from deploylib.errors import AwsError, RefusedError
from deploylib.images import reference
from deploylib.retention.plan import Use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from deploylib.aws import Account
    from deploylib.contract import Contract
    from deploylib.ledger import Entry

PARALLEL = 8
TASKS_PER_CALL = 100
SERVICES_PER_CALL = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """An image that is needed, as it is written there: a reference, and its digest where ECS knows it."""

    image: str
    why: str
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Everything that needs an image, whatever repository it is from. `recorded` are those of the ledger, by digest."""

    running: tuple[Running, ...]
    recorded: tuple[Use, ...]


def observe(account: Account, contract: Contract, *, releases: int) -> Usage:
    """Return what needs images now, and what the last *releases* that completed are made of."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        entries = pool.submit(_entries, account, contract, releases)
        clusters = tuple(_listed(account.ecs, "list_clusters", "clusterArns"))
        scheduled = pool.submit(_scheduled, account, clusters)
        works = [pool.submit(_cluster, account, one) for one in clusters]
        running = [one for work in works for one in work.result()[0]]
        wanted = [pair for work in works for pair in work.result()[1]]
        wanted += [*scheduled.result(), *((arn, why) for one, why in entries.result() for arn in _under_way(one))]
        definitions = dict.fromkeys(arn for arn, _ in wanted)
        images = dict(zip(definitions, pool.map(lambda arn: _images(account, arn), definitions), strict=True))
    named = [Running(image=image, why=why) for arn, why in wanted for image in images[arn]]
    return Usage(running=(*running, *named), recorded=tuple(_recorded(entries.result())))


def revisions(account: Account, contract: Contract, *, releases: int) -> tuple[tuple[str, str], ...]:
    """Return each revision (ARN) that runs or that something may start, with why; a release counts as in `observe`."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        entries = pool.submit(_entries, account, contract, releases)
        clusters = tuple(_listed(account.ecs, "list_clusters", "clusterArns"))
        scheduled = pool.submit(_scheduled, account, clusters)
        works = [pool.submit(_cluster, account, one) for one in clusters]
        used = [pair for work in works for pairs in work.result()[1:] for pair in pairs]
        used += [*scheduled.result(), *((arn, why) for one, why in entries.result() for arn in _named(one))]
    return tuple(dict.fromkeys(used))


def uses(usage: Usage, repository: str, tags: Mapping[str, str]) -> tuple[Use, ...]:
    """Return which digests of *repository* are needed, by whom; *tags* has the digest of each tag that it holds.

    Raises `RefusedError` for an image that cannot be told: whoever guesses may remove it.
    """
    found = [use for one in usage.running for use in _resolved(one, repository, tags)]
    return tuple(dict.fromkeys((*found, *usage.recorded)))


def _resolved(one: Running, repository: str, tags: Mapping[str, str]) -> Iterator[Use]:
    if one.image.endswith(taskdef.SENTINEL):  # Terraform's template, which runs nothing
        return
    named = reference.parse(one.image)
    if named.repository != repository:
        return
    digests = {digest for digest in (named.digest, one.digest) if digest} or {tags.get(named.tag or "latest", "")}
    if "" in digests:
        raise RefusedError(
            f"{one.why}, by the tag {named.tag or 'latest'}, which {repository} does not have: nobody knows its image",
            hint="correct what names it (images are named by digest), and repeat the command",
        )
    yield from (Use(digest=digest, why=one.why) for digest in sorted(digests))


def _entries(account: Account, contract: Contract, releases: int) -> list[tuple[Entry, str]]:
    """Return the releases that somebody may go back to, and those under way, each with what it is called."""
    done = ledger.completed(account.dynamodb, contract.ledger, limit=releases)
    newest = ledger.entries(account.dynamodb, contract.ledger)
    under_way = [one for one in newest if one.verdict == ledger.RUNNING]
    return [
        *((one, f"release {one.number}") for one in done),
        *((one, f"release {one.number}, under way") for one in under_way),
    ]


def _recorded(entries: Iterable[tuple[Entry, str]]) -> Iterator[Use]:
    for entry, why in entries:
        yield from (Use(digest=digest, why=why) for digest in (*entry.images.values(), entry.base) if digest)


def _under_way(entry: Entry) -> tuple[str, ...]:
    """Return the revisions that a release under way brings or goes back to."""
    return _named(entry) if entry.verdict == ledger.RUNNING else ()


def _named(entry: Entry) -> tuple[str, ...]:
    """Return the revisions that *entry* names: what it brought, and what was there before."""
    before = (entry.previous, entry.previous_schedules) if entry.verdict == ledger.RUNNING else ()
    return tuple(arn for named in (entry.services, entry.schedules, *before) for arn in named.values())


def _cluster(account: Account, cluster: str) -> tuple[list[Running], list[tuple[str, str]], list[tuple[str, str]]]:
    """Return what the tasks of *cluster* run, the revisions that its services are set to or roll out, and theirs."""
    tasks = tuple(_listed(account.ecs, "list_tasks", "taskArns", cluster=cluster))
    services = tuple(_listed(account.ecs, "list_services", "serviceArns", cluster=cluster))
    described = [
        task
        for chunk in _chunks(tasks, TASKS_PER_CALL)
        for task in account.ecs.describe_tasks(cluster=cluster, tasks=chunk)["tasks"]
    ]
    running = [one for task in described for one in _of_task(task)]
    started = [(str(task["taskDefinitionArn"]), _runs(task)) for task in described]
    wanted = [
        (arn, f"service {service['serviceName']}")
        for chunk in _chunks(services, SERVICES_PER_CALL)
        for service in account.ecs.describe_services(cluster=cluster, services=chunk)["services"]
        for arn in _revisions(service)
    ]
    return running, wanted, started


def _of_task(task: Mapping[str, Any]) -> Iterator[Running]:
    for container in task.get("containers", ()):
        if container.get("image"):
            yield Running(image=container["image"], why=_runs(task), digest=container.get("imageDigest", ""))


def _runs(task: Mapping[str, Any]) -> str:
    name = task.get("group", "").removeprefix("service:").removeprefix("family:")
    return f"{name or 'a task'} runs it"


def _revisions(service: Mapping[str, Any]) -> Iterator[str]:
    """Yield every revision that ECS may start a task of for *service*, however many tasks it wants now."""
    steps = (*service.get("deployments", ()), *service.get("taskSets", ()))
    yield from dict.fromkeys(one["taskDefinition"] for one in (service, *steps) if one.get("taskDefinition"))


def _scheduled(account: Account, clusters: Sequence[str]) -> list[tuple[str, str]]:
    """Return the task definitions that rules and schedules start in *clusters*."""
    return [*_rules(account, clusters), *_schedules(account, clusters)]


def _rules(account: Account, clusters: Sequence[str]) -> Iterator[tuple[str, str]]:
    for bus in _listed(account.events, "list_event_buses", "EventBuses"):
        for cluster in clusters:
            found = _listed(
                account.events, "list_rule_names_by_target", "RuleNames", TargetArn=cluster, EventBusName=bus["Name"]
            )
            for rule in found:
                targets = _listed(
                    account.events, "list_targets_by_rule", "Targets", Rule=rule, EventBusName=bus["Name"]
                )
                yield from ((arn, f"rule {rule}") for one in targets if (arn := _started(one)))


def _schedules(account: Account, clusters: Sequence[str]) -> Iterator[tuple[str, str]]:
    for one in _listed(account.scheduler, "list_schedules", "Schedules"):
        if one["Target"]["Arn"] in clusters:
            target = account.scheduler.get_schedule(GroupName=one["GroupName"], Name=one["Name"])["Target"]
            yield from ((arn, f"schedule {one['Name']}") for arn in [_started(target)] if arn)


def _started(target: Mapping[str, Any]) -> str:
    return str(target.get("EcsParameters", {}).get("TaskDefinitionArn", ""))


def _images(account: Account, arn: str) -> tuple[str, ...]:
    """Return the images of a task definition; none of one that was deleted, for nothing can start it any more."""
    try:
        definition = account.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    except AwsError as error:
        if error.code == "ClientException" and "unable to describe" in str(error).lower():
            return ()
        raise
    return tuple(one["image"] for one in definition["containerDefinitions"])


def _listed(client: Any, operation: str, key: str, **request: Any) -> Iterator[Any]:
    """Yield everything that *operation* lists, page by page."""
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate(**request):
            yield from page[key]
        return
    call: Callable[..., Any] = getattr(client, operation)
    more: dict[str, Any] = {}
    while True:
        answer = call(**request, **more)
        yield from answer[key]
        if not answer.get("NextToken"):
            return
        more = {"NextToken": answer["NextToken"]}


def _chunks(names: Sequence[str], size: int) -> Iterator[list[str]]:
    yield from (list(names[at : at + size]) for at in range(0, len(names), size))
