"""What serves in an environment, beside what its ledger says of it: `inv status`.

Observed in parallel with few reads, then told by pure functions. What is half done is told from the ledger's entry of
the release that has no end, and from the lock: somebody who has it is at work, and without it nobody is.
"""

from __future__ import annotations

import datetime as dt
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from deploylib import aws, events, lease, ledger, observe, patience, standing, starters, stopped, taskdef
from deploylib.bluegreen import continuing
from deploylib.errors import AwsError, ConfigError, ContractError, RefusedError
from deploylib.taskdef import short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.contract import Contract
    from deploylib.lease import Holder
    from deploylib.ledger import Entry
    from deploylib.plan import Live, LiveService
    from deploylib.strategies import Strategy

    Task = Mapping[str, Any]

PARALLEL_CALLS = 8
NO_TABLE = "name a DynamoDB table as contract.ledger, or let Terraform make one: inv infra.apply"
NO_LEDGER = ledger.Recent(since=(), completed=None)
OUTSIDE = "images"  # the phase before the lock
BACK = "going back"
FOLLOWED = ("rolling out", "watching", "detached", "scheduling", "proving")
MOVED = (*FOLLOWED, BACK)  # one goes back by the number: without it, the way back begins at what serves
MIGRATIONS = {
    "starting": "the migration was about to start",
    "started": "the migration was started",
    "done": "the migration is done",
}
NOT_TOLD = frozenset({"AccessDenied", "AccessDeniedException", "TargetGroupNotFound"})

State = Literal["steady", "rolling out", "failed", "at zero", "no release"]
STATES: Mapping[str, State] = {"IN_PROGRESS": "rolling out", "COMPLETED": "steady", "FAILED": "failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What the load balancer says of a service's tasks, but for those that drain; `unknown` is why it was not asked."""

    healthy: int = 0
    total: int = 0
    sick: tuple[events.SickTarget, ...] = ()
    unknown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """The running tasks of a service by their containers' health; `former` are those of another revision.

    Those are `unchecked` that have no health check, or not yet an answer of it.
    """

    healthy: int = 0
    unhealthy: int = 0
    unchecked: int = 0
    former: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """One service. `revision` is FAMILY:NUMBER, `release` the number of the one that made it (0: none that we know).

    `state`: steady, rolling out, failed, `no release` (never released into), or `at zero`; `message` is what ECS says
    of it. It runs this `since` then (ISO 8601, UTC), `age_seconds` ago. `drift` says why this is not what the last
    completed release left; `waits` are the values of Terraform's `template` that the next deploy brings. `strategy` is
    how it moves; `held` says what happens next once a person lets its deployment go on (inv continue).
    """

    service: str
    name: str
    revision: str
    release: int
    commit: str
    state: State
    message: str
    desired: int
    running: int
    pending: int
    tasks: Tasks
    targets: Targets | None
    since: str
    age_seconds: float
    drift: str
    template: str
    waits: tuple[str, ...]
    strategy: Strategy = "rolling"
    held: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleStatus:
    """One scheduled task: the revision that it starts (FAMILY:NUMBER), whether it does, and its `drift`."""

    task: str
    schedule: str
    revision: str
    enabled: bool
    drift: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A release without an end: `under_way` while somebody has the lock, else left at `phase`.

    `done` says what it has done so far, `hint` is the command that brings it to an end, if nobody is at work on it.
    """

    release: int
    action: str
    commit: str
    by: str
    started_at: str
    phase: str
    under_way: bool
    done: tuple[str, ...]
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """An environment: what serves, the last release that `completed`, those without an end, who has the lock.

    `lock` may be of somebody who is `gone`: then the next release takes it. `hints` are the next commands, best first.
    """

    environment: str
    url: str
    services: tuple[ServiceStatus, ...]
    schedules: tuple[ScheduleStatus, ...] = ()
    completed: Entry | None = None
    unfinished: tuple[Unfinished, ...] = ()
    lock: Holder | None = None
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything that a status is told from: services, their tasks and targets, what starts by itself, the ledger."""

    live: Live
    tasks: tuple[Task, ...]
    targets: Mapping[str, Targets]
    starters: Mapping[str, starters.Starter]
    entries: tuple[Entry, ...]
    recent: ledger.Recent
    lock: Holder | None
    held: Mapping[str, str] = field(default_factory=dict)


def look(account: Account, environment: Environment, *, clock: Clock = time) -> Status:
    """Observe, and return how *environment* is; raise `RefusedError` in the wrong account.

    Beside what `observe.live` reads: one call for the ledger, the lock, a hundred tasks (two), each target group and
    each scheduled task; two for a rollout that may wait for a person.
    """
    return told(environment, observed(account, environment), now=clock.time())


def observed(account: Account, environment: Environment) -> Seen:
    """Return what is to know, read in parallel once the account is the right one."""
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        guarded = pool.submit(aws.guard, account, environment)
        reading = pool.submit(observe.contract, account, environment)
        guarded.result()
        contract = reading.result()
        tasks = pool.submit(_tasks, account, contract.cluster)
        past = pool.submit(_past, account, contract)
        locked = pool.submit(lease.holder, account.dynamodb, contract.ledger) if contract.ledger else None
        starting = {key: pool.submit(starters.read, account, one) for key, one in contract.scheduled_tasks.items()}
        live = observe.live(account, contract)
        balanced = [one for one in live.services if patience.groups_of(one.description)]
        targets = {one.key: pool.submit(_targets, account, one) for one in balanced}
        moving = [one for one in live.services if one.primary.get("rolloutState") == "IN_PROGRESS"]
        held = {one.key: pool.submit(_held, account, contract.cluster, one) for one in moving}
        entries, recent = past.result()
        return Seen(
            live=live,
            tasks=tasks.result(),
            targets={key: one.result() for key, one in targets.items()},
            starters={key: one.result() for key, one in starting.items()},
            entries=entries,
            recent=recent,
            lock=locked.result() if locked else None,
            held={key: one.result() for key, one in held.items()},
        )


def past(account: Account, environment: Environment, *, limit: int) -> tuple[tuple[Entry, ...], Holder | None]:
    """Return the last *limit* releases, newest first, and who has the lock, if one of them has no end.

    Raises `ConfigError` for a limit below one, `RefusedError` in the wrong account, `ContractError` without a ledger.
    """
    if limit < 1:
        raise ConfigError(f"--limit is a number of releases, not {limit}", hint="--limit 20")
    _, contract = _signed(account, environment)
    entries = ledger.entries(account.dynamodb, contract.ledger, limit=limit)
    running = any(one.verdict == ledger.RUNNING for one in entries)
    return entries, lease.holder(account.dynamodb, contract.ledger) if running else None


def locked(account: Account, environment: Environment) -> tuple[str, Holder | None]:
    """Return who we are (an ARN), and who has the lock; raises as `past` does."""
    by, contract = _signed(account, environment)
    return by, lease.holder(account.dynamodb, contract.ledger)


def may_break(environment: Environment, holder: Holder, *, force: bool) -> bool:
    """Whether the lock may be taken from *holder*; raise `RefusedError` if that may be alive, unless told to."""
    if force or holder.gone:
        return True
    raise RefusedError(
        f"{holder.name} was alive {holder.silent_seconds:.0f} s ago; "
        f"without a sign of life the lock is free in {holder.left_seconds:.0f} s",
        hint=f"only if that run is dead: inv lock.release --env {environment.name} --force",
    )


def broken(account: Account, environment: Environment, holder: Holder, *, by: str) -> str:
    """Take the lock away from *holder*, and return what happened."""
    table = observe.contract(account, environment).ledger
    if lease.break_lease(account.dynamodb, table, holder, by=by):
        return f"{environment.name}: the lock is free"
    return f"{environment.name}: {holder.name} does not have it any more"


def _signed(account: Account, environment: Environment) -> tuple[str, Contract]:
    """Return who we are and the contract, which has a ledger."""
    with ThreadPoolExecutor(2) as pool:
        reading = pool.submit(observe.contract, account, environment)
        by, contract = aws.guard(account, environment), reading.result()
    if not contract.ledger:
        raise ContractError(f"{environment.name} has no ledger: its releases are written down nowhere", hint=NO_TABLE)
    return by, contract


def told(environment: Environment, seen: Seen, *, now: float) -> Status:
    """Return the status that *seen* amounts to (pure); *now* is in seconds since the epoch."""
    status = Status(
        environment=environment.name,
        url=seen.live.contract.url,
        services=tuple(_service(one, seen, now) for one in seen.live.services),
        schedules=tuple(_schedule(key, seen) for key in seen.starters),
        completed=seen.recent.completed,
        unfinished=tuple(_unfinished(one, seen, environment.name) for one in seen.recent.unfinished),
        lock=seen.lock,
    )
    return replace(status, hints=tuple(dict.fromkeys(_hints(status))))


def at_work(lock: Holder | None, entry: Entry) -> bool:
    """Whether somebody is at work on *entry*, which has no end: whoever has the lock works on the one under it."""
    if lock is None or lock.gone or entry.phase == OUTSIDE:
        return False
    return entry.owner in ("", lock.owner)


# What is read


def _past(account: Account, contract: Contract) -> tuple[tuple[Entry, ...], ledger.Recent]:
    """Return the newest releases, and what is recent of them: one call, unless none of the newest completed."""
    if not contract.ledger:
        return (), NO_LEDGER
    entries = ledger.entries(account.dynamodb, contract.ledger)
    recent = ledger.recent_of(entries)
    if recent.completed is None and len(entries) == ledger.PAGE:
        recent = ledger.recent(account.dynamodb, contract.ledger)
    return entries, recent


def _tasks(account: Account, cluster: str) -> tuple[Task, ...]:
    """Return every task of *cluster* that ECS wants to run."""
    pages = account.ecs.get_paginator("list_tasks").paginate(cluster=cluster)
    arns = [arn for page in pages for arn in page["taskArns"]]
    return tuple(stopped.describe_tasks(account.ecs, cluster, arns))


def _targets(account: Account, live: LiveService) -> Targets:
    """Return the health of *live*'s targets; that we may not ask is no failure."""
    try:
        found = [
            one
            for arn in patience.groups_of(live.description)
            for one in account.elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        ]
    except AwsError as error:
        if error.code not in NOT_TOLD:
            raise
        return Targets(unknown=f"elasticloadbalancing:DescribeTargetHealth: {error.code}")
    states = [one["TargetHealth"]["State"] for one in found]
    sick = tuple(_sick(one) for one in found if one["TargetHealth"]["State"] not in stopped.WELL)
    return Targets(healthy=states.count("healthy"), total=len(states) - states.count("draining"), sick=sick)


def _held(account: Account, cluster: str, live: LiveService) -> str:
    """Return what a person holds up of *live*'s rollout; that we may not ask is no failure."""
    try:
        return "; ".join(one.what for one in continuing.of(account, cluster, live))
    except AwsError as error:
        if error.code not in NOT_TOLD:
            raise
        return ""


def _sick(described: Mapping[str, Any]) -> events.SickTarget:
    target, health = described["Target"], described["TargetHealth"]
    return events.SickTarget(
        target=":".join(str(target[key]) for key in ("Id", "Port") if key in target),
        state=str(health.get("State", "")),
        reason=str(health.get("Reason", "")),
        description=str(health.get("Description", "")),
    )


# Services


def _service(live: LiveService, seen: Seen, now: float) -> ServiceStatus:
    known, since = standing.of(live), live.primary.get("createdAt")
    name = taskdef.tag(live.definition, taskdef.TAG_RELEASE)
    state = _state(live)
    return ServiceStatus(
        service=live.key,
        name=known.name,
        revision=known.revision,
        release=next((one.number for one in seen.entries if name and one.release == name), 0),
        commit=known.commit,
        state=state,
        message=str(live.primary.get("rolloutStateReason", "")) if state in ("rolling out", "failed") else "",
        desired=known.desired,
        running=known.running,
        pending=int(live.description.get("pendingCount", 0)),
        tasks=_health(live, seen.tasks),
        targets=seen.targets.get(live.key),
        since=_iso(since),
        age_seconds=round(max(0.0, now - since.timestamp()), 1) if since else 0.0,
        drift=_drift(live.revision, seen.recent, lambda entry: entry.services.get(live.key, "")),
        template=known.template,
        waits=known.waits if known.released else (),
        strategy=live.strategy,
        held=seen.held.get(live.key, ""),
    )


def _state(live: LiveService) -> State:
    if live.first:
        return "no release"
    if not (live.description.get("desiredCount") or live.description.get("runningCount")):
        return "at zero"
    return STATES.get(str(live.primary.get("rolloutState", "")), "steady")


def _health(live: LiveService, tasks: Sequence[Task]) -> Tasks:
    ours = [one for one in tasks if one.get("group") == f"service:{live.contract.name}"]
    running = [one.get("healthStatus") for one in ours if one.get("lastStatus") == "RUNNING"]
    healthy, unhealthy = running.count("HEALTHY"), running.count("UNHEALTHY")
    return Tasks(
        healthy=healthy,
        unhealthy=unhealthy,
        unchecked=len(running) - healthy - unhealthy,
        former=sum(one["taskDefinitionArn"] != live.revision for one in ours),
    )


def _schedule(key: str, seen: Seen) -> ScheduleStatus:
    task, starter = seen.live.contract.scheduled_tasks[key], seen.starters[key]
    return ScheduleStatus(
        task=key,
        schedule=task.schedule or task.rule,
        revision=short(starter.revision),
        enabled=starter.state == "ENABLED",
        drift=_drift(starter.revision, seen.recent, lambda entry: entry.schedules.get(key, "")),
    )


def _drift(revision: str, recent: ledger.Recent, left: Callable[[Entry], str]) -> str:
    """Say where *revision* is from, if it is not the one that the last completed release *left*.

    What a release without an end has brought is half done, and told there.
    """
    wanted = left(recent.completed) if recent.completed else ""
    if recent.completed is None or wanted in ("", revision):
        return ""
    maker = next((one for one in recent.since if left(one) == revision), None)
    if maker and maker.verdict == ledger.RUNNING:
        return ""
    brought = f"release {maker.number} ({maker.verdict}) brought it" if maker else "no release brought it"
    return f"{brought}; release {recent.completed.number}, the last that completed, left {short(wanted)}"


# What is half done


def _unfinished(entry: Entry, seen: Seen, environment: str) -> Unfinished:
    under_way = at_work(seen.lock, entry)
    return Unfinished(
        release=entry.number,
        action=entry.action,
        commit=entry.commit,
        by=entry.by,
        started_at=entry.started_at,
        phase=entry.phase,
        under_way=under_way,
        done=tuple(_done(entry, seen)),
        hint="" if under_way or entry.phase == BACK else f"inv {_way_on(entry)} --env {environment}",
    )


def _way_on(entry: Entry) -> str:
    """Return the command that brings *entry* to an end, if nobody is at work on it."""
    return "watch" if entry.phase in FOLLOWED else "deploy"


def _done(entry: Entry, seen: Seen) -> Iterator[str]:
    if entry.phase == OUTSIDE:
        yield "nothing was changed: its images are being made, or that was given up"
    if said := MIGRATIONS.get(entry.migration.get("state", "")):
        yield said
    for live in seen.live.services:
        if live.key in entry.previous:
            yield f"{live.key} {_moved(live.revision, entry.services.get(live.key), entry.previous[live.key])}"
    for key, starter in seen.starters.items():
        if key in entry.previous_schedules and entry.phase != OUTSIDE:
            yield f"{key} {_moved(starter.revision, entry.schedules.get(key), entry.previous_schedules[key])}"


def _moved(revision: str, wanted: str | None, previous: str) -> str:
    if revision == previous:
        return f"runs {short(revision)}, as before"
    return f"moved to {short(revision)}" if revision == wanted else f"is somebody else's: {short(revision)}"


def _hints(status: Status) -> Iterator[str]:
    """Yield the next commands, best first; what is under way is waited for."""
    name = status.environment
    yield from (f"inv continue --env {name} --service {one.service}" for one in status.services if one.held)
    yield from (one.hint for one in status.unfinished if one.hint)
    drifts = any([*(one.drift for one in status.services), *(one.drift for one in status.schedules)])
    left = any(one.phase in MOVED and not one.under_way for one in status.unfinished)
    if status.completed and (left or (drifts and not status.unfinished)):
        yield f"inv rollback --env {name} --to {status.completed.number}"
    if any(one.waits for one in status.services) and not status.unfinished:
        yield f"inv deploy --env {name}"


def _iso(moment: dt.datetime | None) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds") if moment else ""
