"""What changes what runs: deploy, refresh."""

from __future__ import annotations

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.options import CONFIRM, ENV, OUTPUT
from deploylib.tasks.place import root


@task(
    help={
        **ENV,
        **OUTPUT,
        **CONFIRM,
        "dry_run": "stop after showing the plan",
        "allow_dirty": "build uncommitted changes too; such images are tagged by content only",
        "release": "with promote_from: that release, by its number there (else the newest that completed)",
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
    output: str = "text",
) -> None:
    """Release the current commit: build, push, migrate, roll out."""
    from deploylib import aws, checkout, config, report
    from deploylib import release as releases

    environment = config.load(root(c), env)
    commit = checkout.observe(root(c), environment.app.path)
    checkout.refuse_dirty(commit, allow=allow_dirty or bool(environment.promote_from))
    account = aws.signed_in(environment)
    with report.waiting(f"Looking at {environment.name}"):
        proposed = releases.propose(environment, account, commit, number=release)
    report.plan(proposed.plan, output=output)
    if dry_run or proposed.plan.nothing_to_do:
        return
    report.confirmed(environment, f"Deploy to {environment.name}", yes=yes, confirm=confirm)
    report.follow(releases.execute(proposed), output=output)


@task(
    help={
        **ENV,
        **OUTPUT,
        **CONFIRM,
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
    output: str = "text",
) -> None:
    """Restart what runs with settings that have changed since."""
    from deploylib import aws, config, report
    from deploylib import release as releases

    environment = config.load(root(c), env)
    chosen = tuple(filter(None, service.split(",")))
    with report.waiting(f"Looking at {environment.name}"):
        proposed = releases.propose_restart(environment, aws.signed_in(environment), chosen, every=all_)
    report.plan(proposed.plan, output=output)
    if dry_run or proposed.plan.nothing_to_do:
        return
    report.confirmed(environment, f"Refresh {environment.name}", yes=yes, confirm=confirm)
    report.follow(releases.restart(proposed), output=output)
