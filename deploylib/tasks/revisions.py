"""Revisions of task definitions: which may go."""

from __future__ import annotations

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.options import CONFIRM, ENV, OUTPUT
from deploylib.tasks.place import load


@task(
    name="prune",
    help={
        **ENV,
        **OUTPUT,
        **CONFIRM,
        "keep": "how many of the newest revisions of each family stay (else images.keep.releases)",
        "dry_run": "stop after showing what would go, and why the rest stays",
    },
)
@command
def prune(
    c: Context,
    env: str = "",
    keep: int = 0,
    dry_run: bool = False,
    yes: bool = False,
    confirm: str = "",
    output: str = "text",
) -> None:
    """Deregister old revisions that nothing can need."""
    from deploylib import aws, report
    from deploylib.retention import revisions

    environment = load(c, env)
    account = aws.signed_in(environment)
    with report.waiting(f"Looking at {environment.name}"):
        found = revisions.propose(account, environment, keep=keep)
    rows = [one.cells for one in found]
    report.table(f"Revisions in {environment.name}", revisions.COLUMNS, rows, output=output)
    if dry_run or not revisions.going(found):
        return
    report.confirmed(environment, f"Deregister {revisions.going(found)} of them", yes=yes, confirm=confirm)
    gone = list(revisions.execute(account, environment, found, keep=keep))
    report.say(f"{len(gone)} deregistered; running tasks go on", output=output)
