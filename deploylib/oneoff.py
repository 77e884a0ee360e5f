"""A one-off task: a command of its own in one container of a revision, followed to the last line of its log.

Nothing that we started goes on unwatched: Ctrl-C and a time limit stop the task. What only looks endures an API that
is silent for a while, and one that does not know yet which task it has just started.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib import tasklog
from deploylib.errors import AwsError, TaskError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.contract import ScheduledTask, ServiceContract
    from deploylib.events import Event
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
    service: ServiceContract | ScheduledTask
    launch: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What runs: *command* in *container*, the other containers as they are. *started_by* finds the task again."""

    container: str
    command: tuple[str, ...]
    started_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A task that is followed: its ARN and its log, the event that it *begun* with, the event of a line that it *said*.

    *what* it is called and its *aftermath* stand in errors and notes; *reason* is what ECS is told when it is stopped.
    """

    task: str
    log: tasklog.Follower | None
    begun: Event
    said: Callable[[str], Event]
    what: str
    aftermath: str = ""
    reason: str = "interrupted by the person who started it"
    limit_seconds: float = math.inf


def launch_of(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return RunTask's launch arguments equal to those of the described service."""
    if strategy := description.get("capacityProviderStrategy"):
        return {"capacityProviderStrategy": strategy}
    return {"launchType": description.get("launchType", "FARGATE")}


def start(account: Account, site: Site, order: Order, *, revision: str, token: str) -> str:
    """Start *order* as a task of *revision* and return its ARN; *token* makes that idempotent (RunTask's client token).

    Raises `TaskError` with ECS's reasons when it cannot be started.
    """
    network: Any = {
        "subnets": list(site.service.subnets),
        "securityGroups": list(site.service.security_groups),
        "assignPublicIp": "ENABLED" if site.service.assign_public_ip else "DISABLED",
    }
    answer = account.ecs.run_task(
        cluster=site.cluster,
        taskDefinition=revision,
        count=1,
        startedBy=order.started_by,
        clientToken=token,
        networkConfiguration={"awsvpcConfiguration": network},
        overrides={"containerOverrides": [{"name": order.container, "command": list(order.command)}]},
        **site.launch,
    )
    if answer.get("tasks"):
        return answer["tasks"][0]["taskArn"]
    reasons = "; ".join(f"{one.get('reason')} {one.get('detail', '')}".strip() for one in answer.get("failures", ()))
    raise TaskError(reasons or "no reason given")


def log_of(account: Account, definition: Definition, container: str, task: str) -> tasklog.Follower | None:
    """Return what reads the log of *container* of the task *task* (ARN); None where it is not in CloudWatch."""
    where = tasklog.stream(definition, container, task)
    return tasklog.Follower(logs=account.logs, stream=where) if where else None


def follow(account: Account, cluster: str, watch: Watch, *, clock: Clock) -> Generator[Event, None, Mapping[str, Any]]:
    """Yield what the task began with, and its log until it has stopped; return its last description.

    Raises `TaskError` when it takes longer than its limit: it is stopped then, as by Ctrl-C.
    """
    started = heard_at = clock.monotonic()
    try:
        yield watch.begun
        while True:
            try:
                found = _described(account, cluster, watch.task)
                yield from _lines(watch)
                heard_at = clock.monotonic() if found else heard_at
            except AwsError as error:
                if not error.transient or _is_forgotten(clock, heard_at):
                    error.add_note(f"{watch.what} {identifier(watch.task)} goes on without us{watch.aftermath}")
                    raise
                found = {}
            if found.get("lastStatus") == "STOPPED" or (not found and _is_forgotten(clock, heard_at)):
                yield from _last_lines(watch, clock)
                return found or {**FORGOTTEN, "taskArn": watch.task}
            if clock.monotonic() >= started + watch.limit_seconds:
                raise _timed_out(account, cluster, watch, clock=clock)
            clock.sleep(POLL_SECONDS)
    except (KeyboardInterrupt, GeneratorExit) as interrupt:
        state = _stop(account, cluster, watch.task, reason=watch.reason, clock=clock)
        interrupt.add_note(f"{watch.what} {identifier(watch.task)} {state}{watch.aftermath}")
        raise


def container_of(task: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the container of that *name* in a described *task*; nothing while there is none."""
    return next((one for one in task.get("containers", ()) if one["name"] == name), {})


def identifier(task: str) -> str:
    """Return the id in a task's ARN."""
    return task.rsplit("/", 1)[-1]


def _lines(watch: Watch) -> Iterator[Event]:
    for line in watch.log.lines() if watch.log else ():
        yield watch.said(line)


def _last_lines(watch: Watch, clock: Clock) -> Iterator[Event]:
    """Read on until the log has been silent for two looks: its end arrives after the task's."""
    deadline, silent = clock.monotonic() + LAST_LINES_SECONDS, 0
    while watch.log and silent < SILENT_LOOKS and clock.monotonic() < deadline:
        lines = watch.log.lines()
        silent = 0 if lines else silent + 1
        for line in lines:
            yield watch.said(line)
        clock.sleep(POLL_SECONDS / 4)


def _timed_out(account: Account, cluster: str, watch: Watch, *, clock: Clock) -> TaskError:
    reason = f"over its time limit of {watch.limit_seconds:g} s"
    state = _stop(account, cluster, watch.task, reason=reason, clock=clock)
    return TaskError(
        f"{watch.what} {identifier(watch.task)} was not done within {watch.limit_seconds:g} s; "
        f"it {state}{watch.aftermath}"
    )


def _stop(account: Account, cluster: str, task: str, *, reason: str, clock: Clock) -> str:
    """Stop *task*, wait until it is STOPPED, and return what became of it, in words; Ctrl-C ends the waiting."""
    told = False
    try:
        account.ecs.stop_task(cluster=cluster, task=task, reason=reason)
        told = True
        deadline = clock.monotonic() + STOP_SECONDS
        while clock.monotonic() < deadline:
            if _described(account, cluster, task).get("lastStatus") == "STOPPED":
                return "was stopped"
            clock.sleep(POLL_SECONDS)
    except AwsError as error:
        return f"{'was told to stop' if told else 'could not be stopped'} ({error})"
    except KeyboardInterrupt:
        return "was told to stop, and may run on for a moment" if told else "goes on without us"
    return f"was told to stop, but still runs after {STOP_SECONDS:g} s"


def _described(account: Account, cluster: str, task: str) -> Mapping[str, Any]:
    """Return the task as ECS has it; nothing while ECS, which is eventually consistent, does not know it."""
    tasks = account.ecs.describe_tasks(cluster=cluster, tasks=[task])["tasks"]
    return tasks[0] if tasks else {}


def _is_forgotten(clock: Clock, heard_at: float) -> bool:
    return clock.monotonic() - heard_at >= PATIENCE_SECONDS
