"""What a deploy would do, without doing it."""

from __future__ import annotations

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.options import ENV, OUTPUT
from deploylib.tasks.place import load, root


@task(
    help={
        **ENV,
        **OUTPUT,
        "save": "keep the plan in this file, for inv deploy --plan",
        "allow_dirty": "with uncommitted changes",
        "release": "with promote_from: that release, by its number there (else the newest that completed)",
        "irreversible": "its migration cannot be undone by going back (a commit says: Migration: irreversible)",
    }
)
@command
def plan(
    c: Context,
    env: str = "",
    save: str = "",
    allow_dirty: bool = False,
    release: str = "",
    irreversible: bool = False,
    output: str = "text",
) -> None:
    """Show what a deploy would do; nothing is written."""
    from deploylib import aws, checkout, lineage, report, saved_plan
    from deploylib import release as releases

    environment = load(c, env)
    commit = checkout.observe(root(c), environment.app.path)
    checkout.refuse_dirty(commit, allow=allow_dirty or bool(environment.promote_from))
    account = aws.signed_in(environment)
    with report.waiting(f"Looking at {environment.name}"):
        proposed = releases.propose(environment, account, commit, number=release, irreversible=irreversible)
    lineage.refuse_elsewhere(environment, proposed.plan.commit, dirty=proposed.plan.dirty)
    report.plan(proposed.plan, output=output)
    if save:
        saved_plan.write(save, report.document(proposed.plan))
        report.say(f"Saved: inv deploy --env {environment.name} --plan {save}", output=output)
