"""Whether a release could succeed."""

from __future__ import annotations

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.options import ENV, OUTPUT
from deploylib.tasks.place import load


@task(help={**ENV, **OUTPUT})
@command
def verify(c: Context, env: str = "", output: str = "text") -> None:
    """Check that everything is there that a release needs."""
    from deploylib import aws, report, verify

    environment = load(c, env)
    account = aws.signed_in(environment)
    with report.waiting(f"Looking at {environment.name}"):
        checks = verify.examine(account, environment)
    report.verified(checks, output=output)
    verify.refuse_missing(checks, environment.name)
