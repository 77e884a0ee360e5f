"""The lock of an environment: who has it, and taking it away from a run that is dead."""

from __future__ import annotations

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.options import CONFIRM, ENV, OUTPUT
from deploylib.tasks.place import load


@task(help={**ENV, **OUTPUT})
@command
def show(c: Context, env: str = "", output: str = "text") -> None:
    """Show who has the lock of an environment."""
    from deploylib import aws, overview, report

    environment = load(c, env)
    _, holder = overview.locked(aws.signed_in(environment), environment)
    report.lock(environment.name, holder, output=output)


@task(help={**ENV, **CONFIRM, "force": "also of a run that may be alive: its next write is refused"})
@command
def release(c: Context, env: str = "", force: bool = False, yes: bool = False, confirm: str = "") -> None:
    """Release the lock that a dead run left behind."""
    from deploylib import aws, overview, report

    environment = load(c, env)
    account = aws.signed_in(environment)
    by, holder = overview.locked(account, environment)
    report.lock(environment.name, holder)
    if holder and overview.may_break(environment, holder, force=force):
        report.confirmed(environment, f"Release the lock of {environment.name}", yes=yes, confirm=confirm)
        report.say(overview.broken(account, environment, holder, by=by))
