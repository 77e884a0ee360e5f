"""The migration: a one-off task of the new revision, followed to the last line of its log and judged by its exit code.

It runs before any service moves. A task that an interrupted run has left behind is waited for first, so that two
migrations never run at once; if it was this very migration and ended well, it is not run again. Ctrl-C and the time
limit stop the task: a half-done migration that nobody watches is worse than one that ends with its connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib import events, tasklog
from deploylib.errors import AwsError, MigrationError
from deploylib.stopped import describe_tasks, explain

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.contract import ServiceContract
    from deploylib.plan import MigrationPlan
    from deploylib.taskdef import Definition

POLL_SECONDS = 1.0
SILENT_LOOKS = 2
LAST_LINES_SECONDS = 6.0  # the awslogs driver sends what it has every five seconds
PATIENCE_SECONDS = 30.0  # so long the API may be silent, or not know a task that it has just started
FORGOTTEN = {"lastStatus": "STOPPED", "stoppedReason": "ECS does not know the task (any more)"}
STOP_SECONDS = 150.0  # ECS kills a task at most two minutes after it asked it to stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a one-off task runs: the cluster, the service whose network it borrows, how tasks are launched there."""

    cluster: str
    service: ServiceContract
    launch: Mapping[str, Any]

    @property
    def started_by(self) -> str:
        """The mark by which a task that an interrupted run has left behind is found again."""
        return f"migration/{self.service.family}"


def launch_of(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return RunTask's launch arguments equal to those of the described service."""
    if strategy := description.get("capacityProviderStrategy"):
        return {"capacityProviderStrategy": strategy}
    return {"launchType": description.get("launchType", "FARGATE")}


def run(
    account: Account,
    site: Site,
    plan: MigrationPlan,
    *,
    definition: Definition,
    revision: str,
    token: str,
    clock: Clock,
) -> Iterator[events.Event]:
    """Run *plan* as a task of *revision* and yield its log as it comes.

    *token* makes RunTask idempotent (its client token). Raises `MigrationError` when the task does not end with exit
    code 0, does not start, or does not end within the plan's time limit (it is stopped then).
    """
    if (yield from _done_by_another_run(account, site, plan, definition=definition, revision=revision, clock=clock)):
        return
    task = _start(account, site, plan, revision=revision, token=token)
    started = clock.monotonic()
    begun = events.MigrationStarted(task=_id(task), revision=revision, command=plan.command)
    ended = yield from _follow(account, site, plan, task=task, definition=definition, begun=begun, clock=clock)
    _judge(account, ended, plan, definition)
    yield events.Migrated(task=_id(task), seconds=clock.monotonic() - started)


def _done_by_another_run(
    account: Account, site: Site, plan: MigrationPlan, *, definition: Definition, revision: str, clock: Clock
) -> Generator[events.Event, None, bool]:
    """Wait for the tasks that runs before have left behind; return whether one of them was this migration."""
    same = {revision, plan.left} - {""}
    for task in _left_behind(account, site, plan):
        begun = events.MigrationStarted(task=_id(task), revision="", command=plan.command, attached=True)
        started = clock.monotonic()
        ended = yield from _follow(account, site, plan, task=task, definition=definition, begun=begun, clock=clock)
        if ended.get("taskDefinitionArn") in same and _exit_code(ended, plan) == 0:
            yield events.Migrated(task=_id(task), seconds=clock.monotonic() - started)
            return True
    if plan.left:
        yield events.Noticed(message="how the migration of the run before ended is not known (any more): it runs again")
    return False


def _left_behind(account: Account, site: Site, plan: MigrationPlan) -> list[str]:
    """Return the tasks of this migration that run, and those of *plan.left* that have stopped.

    ECS knows these for about an hour.
    """
    running = account.ecs.list_tasks(cluster=site.cluster, startedBy=site.started_by)["taskArns"]
    if not plan.left:
        return running
    stopped = account.ecs.list_tasks(cluster=site.cluster, startedBy=site.started_by, desiredStatus="STOPPED")
    known = describe_tasks(account.ecs, site.cluster, stopped["taskArns"])
    return [*running, *(one["taskArn"] for one in known if one["taskDefinitionArn"] == plan.left)]


def _start(account: Account, site: Site, plan: MigrationPlan, *, revision: str, token: str) -> str:
    network: Any = {
        "subnets": list(site.service.subnets),
        "securityGroups": list(site.service.security_groups),
        "assignPublicIp": "ENABLED" if site.service.assign_public_ip else "DISABLED",
    }
    answer = account.ecs.run_task(
        cluster=site.cluster,
        taskDefinition=revision,
        count=1,
        startedBy=site.started_by,
        clientToken=token,
        networkConfiguration={"awsvpcConfiguration": network},
        overrides={"containerOverrides": [{"name": plan.container, "command": list(plan.command)}]},
        **site.launch,
    )
    if answer.get("tasks"):
        return answer["tasks"][0]["taskArn"]
    reasons = "; ".join(f"{one.get('reason')} {one.get('detail', '')}".strip() for one in answer.get("failures", ()))
    raise MigrationError(f"ECS did not start the migration's task: {reasons or 'no reason given'}")


def _follow(
    account: Account,
    site: Site,
    plan: MigrationPlan,
    *,
    task: str,
    definition: Definition,
    begun: events.MigrationStarted,
    clock: Clock,
) -> Generator[events.Event, None, Mapping[str, Any]]:
    """Yield *begun* and the log until the task has stopped and its log has ended; return its last description."""
    started = heard_at = clock.monotonic()
    where = tasklog.stream(definition, plan.container, task)
    log = tasklog.Follower(logs=account.logs, stream=where) if where else None
    try:
        yield begun
        while True:
            try:
                found = _described(account, site, task)
                yield from _lines(log)
                heard_at = clock.monotonic() if found else heard_at
            except AwsError as error:
                if not error.transient or clock.monotonic() - heard_at >= PATIENCE_SECONDS:
                    error.add_note(f"the migration's task {_id(task)} goes on without us; no service was touched")
                    raise
                found = {}
            if found.get("lastStatus") == "STOPPED" or (not found and _is_forgotten(clock, heard_at)):
                yield from _last_lines(log, clock)
                return found or {**FORGOTTEN, "taskArn": task}
            if clock.monotonic() >= started + plan.timeout_seconds:
                raise _timed_out(account, site, plan, task=task, clock=clock)
            clock.sleep(POLL_SECONDS)
    except (KeyboardInterrupt, GeneratorExit) as interrupt:
        state = _stop(account, site, task, reason="interrupted by the person who deployed", clock=clock)
        interrupt.add_note(f"the migration's task {_id(task)} {state}; no service was touched")
        raise


def _lines(log: tasklog.Follower | None) -> Iterator[events.Event]:
    for line in log.lines() if log else ():
        yield events.MigrationLogged(line=line)


def _last_lines(log: tasklog.Follower | None, clock: Clock) -> Iterator[events.Event]:
    """Read on until the log has been silent for two looks: its end arrives after the task's."""
    deadline, silent = clock.monotonic() + LAST_LINES_SECONDS, 0
    while log and silent < SILENT_LOOKS and clock.monotonic() < deadline:
        lines = log.lines()
        silent = 0 if lines else silent + 1
        for line in lines:
            yield events.MigrationLogged(line=line)
        clock.sleep(POLL_SECONDS / 4)


def _judge(account: Account, task: Mapping[str, Any], plan: MigrationPlan, definition: Definition) -> None:
    code = _exit_code(task, plan)
    if code == 0:
        return
    container = _container(task, plan)
    why = explain(account, task, definition)
    reason = "; ".join(part for part in (why.reason, str(container.get("reason", ""))) if part)
    ended = f"ended with exit code {code}" if code is not None else f"did not run ({why.stop_code or 'no exit code'})"
    raise MigrationError(
        f"the migration's task {why.task} {ended}: {reason or 'no reason given'}; no service was touched",
        hint="correct the migration, commit, and deploy again",
    )


def _container(task: Mapping[str, Any], plan: MigrationPlan) -> Mapping[str, Any]:
    return next((one for one in task.get("containers", ()) if one["name"] == plan.container), {})


def _exit_code(task: Mapping[str, Any], plan: MigrationPlan) -> int | None:
    return _container(task, plan).get("exitCode")


def _timed_out(account: Account, site: Site, plan: MigrationPlan, *, task: str, clock: Clock) -> MigrationError:
    state = _stop(account, site, task, reason=f"over its time limit of {plan.timeout_seconds:g} s", clock=clock)
    return MigrationError(
        f"the migration's task {_id(task)} was not done within {plan.timeout_seconds:g} s; it {state}; "
        "no service was touched",
        hint="raise migration.timeout_seconds, or make the migration shorter",
    )


def _stop(account: Account, site: Site, task: str, *, reason: str, clock: Clock) -> str:
    """Stop *task*, wait until it is STOPPED, and return what became of it, in words; Ctrl-C ends the waiting."""
    told = False
    try:
        account.ecs.stop_task(cluster=site.cluster, task=task, reason=reason)
        told = True
        deadline = clock.monotonic() + STOP_SECONDS
        while clock.monotonic() < deadline:
            if _described(account, site, task).get("lastStatus") == "STOPPED":
                return "was stopped"
            clock.sleep(POLL_SECONDS)
    except AwsError as error:
        return f"{'was told to stop' if told else 'could not be stopped'} ({error})"
    except KeyboardInterrupt:
        return "was told to stop, and may run on for a moment" if told else "goes on without us"
    return f"was told to stop, but still runs after {STOP_SECONDS:g} s"


def _described(account: Account, site: Site, task: str) -> Mapping[str, Any]:
    """Return the task as ECS has it; nothing while ECS, which is eventually consistent, does not know it."""
    tasks = account.ecs.describe_tasks(cluster=site.cluster, tasks=[task])["tasks"]
    return tasks[0] if tasks else {}


def _is_forgotten(clock: Clock, heard_at: float) -> bool:
    return clock.monotonic() - heard_at >= PATIENCE_SECONDS


def _id(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]
