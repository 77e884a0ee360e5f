"""The migration: a one-off task of the new revision, followed to the last line of its log and judged by its exit code.

It runs before any service moves. A task that an interrupted run has left behind is waited for first, so that two
migrations never run at once; if it was this very migration and ended well, it is not run again. Ctrl-C and the time
limit stop the task: a half-done migration that nobody watches is worse than one that ends with its connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploylib import events, oneoff
from deploylib.errors import MigrationError, TaskError
from deploylib.oneoff import Site, launch_of
from deploylib.stopped import describe_tasks, explain

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from typing import Any

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.plan import MigrationPlan
    from deploylib.taskdef import Definition

__all__ = ["Site", "launch_of", "run"]

UNTOUCHED = "; no service was touched"


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
    begun = events.MigrationStarted(task=oneoff.identifier(task), revision=revision, command=plan.command)
    ended = yield from _follow(account, site, plan, task=task, definition=definition, begun=begun, clock=clock)
    _judge(account, ended, plan, definition)
    yield events.Migrated(task=oneoff.identifier(task), seconds=clock.monotonic() - started)


def _done_by_another_run(
    account: Account, site: Site, plan: MigrationPlan, *, definition: Definition, revision: str, clock: Clock
) -> Generator[events.Event, None, bool]:
    """Wait for the tasks that runs before have left behind; return whether one of them was this migration."""
    same = {revision, plan.left} - {""}
    for task in _left_behind(account, site, plan):
        begun = events.MigrationStarted(task=oneoff.identifier(task), revision="", command=plan.command, attached=True)
        started = clock.monotonic()
        ended = yield from _follow(account, site, plan, task=task, definition=definition, begun=begun, clock=clock)
        if ended.get("taskDefinitionArn") in same and _exit_code(ended, plan) == 0:
            yield events.Migrated(task=oneoff.identifier(task), seconds=clock.monotonic() - started)
            return True
    if plan.left:
        yield events.Noticed(message="how the migration of the run before ended is not known (any more): it runs again")
    return False


def _left_behind(account: Account, site: Site, plan: MigrationPlan) -> list[str]:
    """Return the tasks of this migration that run, and those of *plan.left* that have stopped.

    ECS knows these for about an hour, and finds them by their family only: of `startedBy` it wants that it is alone.
    """
    running = account.ecs.list_tasks(cluster=site.cluster, startedBy=_started_by(site))["taskArns"]
    if not plan.left:
        return running
    pages = account.ecs.get_paginator("list_tasks").paginate(
        cluster=site.cluster, family=site.service.family, desiredStatus="STOPPED"
    )
    known = describe_tasks(account.ecs, site.cluster, [arn for page in pages for arn in page["taskArns"]])
    ours = (one for one in known if one.get("startedBy") == _started_by(site))
    return [*running, *(one["taskArn"] for one in ours if one["taskDefinitionArn"] == plan.left)]


def _started_by(site: Site) -> str:
    """Return the mark by which a task that an interrupted run has left behind is found again."""
    return f"migration/{site.service.family}"


def _start(account: Account, site: Site, plan: MigrationPlan, *, revision: str, token: str) -> str:
    order = oneoff.Order(container=plan.container, command=plan.command, started_by=_started_by(site))
    try:
        return oneoff.start(account, site, order, revision=revision, token=token)
    except TaskError as error:
        raise MigrationError(f"ECS did not start the migration's task: {error}") from error


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
    watch = oneoff.Watch(
        task=task,
        log=oneoff.log_of(account, definition, plan.container, task),
        begun=begun,
        said=_said,
        what="the migration's task",
        aftermath=UNTOUCHED,
        reason="interrupted by the person who deployed",
        limit_seconds=plan.timeout_seconds,
    )
    try:
        return (yield from oneoff.follow(account, site.cluster, watch, clock=clock))
    except TaskError as error:
        hint = "raise migration.timeout_seconds, or make the migration shorter"
        raise MigrationError(str(error), hint=hint) from error


def _said(line: str) -> events.Event:
    return events.MigrationLogged(line=line)


def _judge(account: Account, task: Mapping[str, Any], plan: MigrationPlan, definition: Definition) -> None:
    code = _exit_code(task, plan)
    if code == 0:
        return
    container = oneoff.container_of(task, plan.container)
    why = explain(account, task, definition)
    reason = "; ".join(part for part in (why.reason, str(container.get("reason", ""))) if part)
    ended = f"ended with exit code {code}" if code is not None else f"did not run ({why.stop_code or 'no exit code'})"
    raise MigrationError(
        f"the migration's task {why.task} {ended}: {reason or 'no reason given'}{UNTOUCHED}",
        hint="correct the migration, commit, and deploy again",
    )


def _exit_code(task: Mapping[str, Any], plan: MigrationPlan) -> int | None:
    return oneoff.container_of(task, plan.container).get("exitCode")
