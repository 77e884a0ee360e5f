"""What is there: how an environment is, and what was released into it."""

from __future__ import annotations

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.options import ENV, OUTPUT
from deploylib.tasks.place import load


@task(help={**ENV, **OUTPUT})
@command
def status(c: Context, env: str = "", output: str = "text") -> None:
    """Show what serves, what is half done, and who is at work."""
    from deploylib import aws, overview, report

    environment = load(c, env)
    account = aws.signed_in(environment)
    with report.waiting(f"Looking at {environment.name}"):
        found = overview.look(account, environment)
    report.state(found, output=output)


@task(help={**ENV, **OUTPUT, "limit": "how many releases"})
@command
def history(c: Context, env: str = "", limit: int = 20, output: str = "text") -> None:
    """List the releases, the newest first."""
    from deploylib import aws, overview, report

    environment = load(c, env)
    entries, lock = overview.past(aws.signed_in(environment), environment, limit=limit)
    report.releases(environment.name, entries, lock, output=output)
