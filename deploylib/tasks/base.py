"""The base image: build it, where it is."""

from __future__ import annotations

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.options import ENV, OUTPUT
from deploylib.tasks.place import load, root


@task(name="refresh", help={**ENV, **OUTPUT, "force": "build it anew although nothing changed, without layer cache"})
@command
def refresh(c: Context, env: str = "", force: bool = False, output: str = "text") -> None:
    """Build the base image if it changed, for every account."""
    from deploylib import aws, checkout, report
    from deploylib.images import base

    environment = load(c, env)
    commit = checkout.observe(root(c), environment.app.path)
    report.follow(base.refresh(aws.signed_in(environment), environment, commit, force=force), output=output)


@task(name="status", help={**ENV, **OUTPUT, "check": "exit 9 when the registry does not have it, with what changed"})
@command
def status(c: Context, env: str = "", check: bool = False, output: str = "text") -> None:
    """Show where the base image is, and what changed since."""
    from deploylib import aws, checkout, report, staleness

    environment = load(c, env)
    commit = checkout.observe(root(c), environment.app.path)
    account = aws.signed_in(environment)
    with report.waiting(f"Looking at {environment.name}"):
        found = staleness.look(account, environment, commit)
    report.base(found, output=output)
    if check:
        staleness.refuse_stale(found)
