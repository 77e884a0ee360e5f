"""What changes what runs: deploy, rollback, watch, refresh, scale, continue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.options import CONFIRM, ENV, OUTPUT
from deploylib.tasks.place import load, root

if TYPE_CHECKING:
    from collections.abc import Generator

    from deploylib import events
    from deploylib.config import Environment
    from deploylib.release import Release

LOCK = {"wait_lock": "wait so long for somebody else's release: 90s, 10m (else lock.wait_seconds)"}


@task(
    help={
        **ENV,
        **OUTPUT,
        **CONFIRM,
        **LOCK,
        "dry_run": "stop after showing the plan",
        "allow_dirty": "build uncommitted changes too; such images are tagged by content only",
        "release": "with promote_from: that release, by its number there (else the newest that completed)",
        "irreversible": "its migration cannot be undone by going back (a commit says: Migration: irreversible)",
        "plan": "execute exactly what inv plan --save has kept in this file, or nothing",
    }
)
@command
def deploy(
    c: Context,
    env: str = "",
    dry_run: bool = False,
    yes: bool = False,
    confirm: str = "",
    allow_dirty: bool = False,
    release: str = "",
    irreversible: bool = False,
    plan: str = "",
    wait_lock: str = "",
    output: str = "text",
) -> None:
    """Release this commit: build, push, migrate, roll out."""
    from deploylib import aws, checkout, lineage, report, saved_plan
    from deploylib import release as releases

    saved = saved_plan.read(plan)
    environment = _waiting(load(c, env or saved.environment), wait_lock)
    commit = checkout.observe(root(c), environment.app.path)
    checkout.refuse_dirty(commit, allow=allow_dirty or saved.dirty or bool(environment.promote_from))
    account = aws.signed_in(environment)
    number, marked = release or saved.number, irreversible or saved.irreversible
    with report.waiting(f"Looking at {environment.name}"):
        proposed = releases.propose(environment, account, commit, number=number, irreversible=marked)
    lineage.refuse_elsewhere(environment, proposed.plan.commit, dirty=proposed.plan.dirty)
    report.plan(proposed.plan, output=output)
    saved.check(report.document(proposed.plan))
    if dry_run or proposed.plan.nothing_to_do:
        return
    report.confirmed(environment, f"Deploy to {environment.name}", yes=yes, confirm=confirm)
    proposed = releases.exactly(proposed) if plan else proposed
    _follow(proposed, releases.execute(proposed), output=output)


@task(
    help={
        **ENV,
        **OUTPUT,
        **CONFIRM,
        **LOCK,
        "to": "the release to go back to, by its number (else the last good one before what serves)",
        "over_irreversible": "also over a migration that is marked irreversible",
        "dry_run": "stop after showing the plan",
    }
)
@command
def rollback(
    c: Context,
    env: str = "",
    to: str = "",
    over_irreversible: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    confirm: str = "",
    wait_lock: str = "",
    output: str = "text",
) -> None:
    """Go back to a release that completed; stop a running one."""
    from deploylib import aws, report
    from deploylib import release as releases

    environment = _waiting(load(c, env), wait_lock)
    account = aws.signed_in(environment)
    with report.waiting(f"Looking at {environment.name}"):
        proposed = releases.propose_rollback(environment, account, to=to, over_irreversible=over_irreversible)
    report.plan(proposed.plan, output=output)
    if dry_run or proposed.plan.nothing_to_do:
        return
    question = f"Go back to release {proposed.plan.restores} in {environment.name}"
    report.confirmed(environment, question, yes=yes, confirm=confirm)
    _follow(proposed, releases.execute(proposed), output=output)


@task(help={**ENV, **OUTPUT, **CONFIRM})
@command
def watch(c: Context, env: str = "", yes: bool = False, confirm: str = "", output: str = "text") -> None:
    """Follow what rolls out; bring to its end what was left."""
    from deploylib import aws, report
    from deploylib import release as releases

    environment = load(c, env)
    with report.waiting(f"Looking at {environment.name}"):
        proposed = releases.propose_resumption(environment, aws.signed_in(environment))
    report.plan(proposed.plan, output=output)
    if proposed.moves_on:
        report.confirmed(environment, f"Finish it in {environment.name}", yes=yes, confirm=confirm)
    if proposed.follows:
        report.follow(releases.follow(proposed), output=output)
    else:
        _follow(proposed, releases.execute(proposed), output=output)


@task(
    help={
        **ENV,
        **OUTPUT,
        **CONFIRM,
        **LOCK,
        "service": "these, with commas (else those whose settings changed)",
        "all_": "every service, whatever changed",
        "dry_run": "stop after showing the plan",
    }
)
@command
def refresh(
    c: Context,
    env: str = "",
    service: str = "",
    all_: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    confirm: str = "",
    wait_lock: str = "",
    output: str = "text",
) -> None:
    """Restart what runs with settings that have changed since."""
    from deploylib import aws, report
    from deploylib import release as releases

    environment = _waiting(load(c, env), wait_lock)
    chosen = tuple(filter(None, service.split(",")))
    with report.waiting(f"Looking at {environment.name}"):
        proposed = releases.propose_restart(environment, aws.signed_in(environment), chosen, every=all_)
    report.plan(proposed.plan, output=output)
    if dry_run or proposed.plan.nothing_to_do:
        return
    report.confirmed(environment, f"Refresh {environment.name}", yes=yes, confirm=confirm)
    _follow(proposed, releases.restart(proposed), output=output)


@task(
    help={
        **ENV,
        **OUTPUT,
        **CONFIRM,
        **LOCK,
        "counts": "how many tasks of which service: web=4,job=0",
        "dry_run": "stop after showing the plan",
    }
)
@command
def scale(
    c: Context,
    counts: str,
    env: str = "",
    dry_run: bool = False,
    yes: bool = False,
    confirm: str = "",
    wait_lock: str = "",
    output: str = "text",
) -> None:
    """Run more tasks of a service, or fewer: web=4,job=0."""
    from deploylib import aws, report
    from deploylib import release as releases
    from deploylib.release import scaling

    environment, wanted = _waiting(load(c, env), wait_lock), scaling.parse(counts)
    account = aws.signed_in(environment)
    with report.waiting(f"Looking at {environment.name}"):
        proposed = releases.propose_scale(environment, account, wanted)
    report.plan(proposed.plan, output=output)
    if dry_run or proposed.plan.nothing_to_do:
        return
    report.confirmed(environment, f"Scale {environment.name}", yes=yes, confirm=confirm)
    report.follow(releases.scale(proposed), output=output)


@task(name="continue", help={**ENV, **CONFIRM, "service": "of this one alone (else of all that wait)"})
@command
def continue_(c: Context, env: str = "", service: str = "", yes: bool = False, confirm: str = "") -> None:
    """Let a waiting blue/green deployment go on."""
    from deploylib import aws, report
    from deploylib.bluegreen import continuing

    environment = load(c, env)
    account = aws.signed_in(environment)
    waiting = continuing.look(account, environment, service=service)
    for one in waiting:
        report.say(f"{one.service}: {one.what}")
    report.confirmed(environment, f"Let it go on in {environment.name}", yes=yes, confirm=confirm)
    for one in waiting:
        continuing.go_on(account, one)
        report.say(f"{one.service}: goes on")


def _waiting(environment: Environment, wait_lock: str) -> Environment:
    """Return *environment* with how long to wait for its lock, where the command line says so."""
    from dataclasses import replace

    from deploylib import durations

    if not wait_lock:
        return environment
    return replace(environment, lock=replace(environment.lock, wait_seconds=durations.parse(wait_lock, "--wait-lock")))


def _follow(proposed: Release, happening: Generator[events.Event, str | None, None], *, output: str) -> None:
    """Execute, show, and tell whoever is to be notified."""
    from deploylib import notify, report

    environment = proposed.environment
    told = notify.told(happening, environment, proposed.account, proposed.plan, by=proposed.by)
    kept = report.kept(told, proposed.plan, report.failure_file(environment.root, environment.name))
    report.follow(kept, output=output)
