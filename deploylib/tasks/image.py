"""Images: promote, test, prune."""

from __future__ import annotations

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.options import CONFIRM, ENV, OUTPUT
from deploylib.tasks.place import load, root

KEEP = {"keep": "how many of the newest images of each role stay (else images.keep.images)"}


@task(
    name="promote",
    help={
        **ENV,
        **OUTPUT,
        **CONFIRM,
        "from_": "the environment that it completed in (else promote_from of the other one)",
        "release": "by its number there (else the newest that completed)",
        "dry_run": "stop after showing what would be copied",
    },
)
@command
def promote(
    c: Context,
    env: str = "",
    from_: str = "",
    release: str = "",
    dry_run: bool = False,
    yes: bool = False,
    confirm: str = "",
    output: str = "text",
) -> None:
    """Copy the images of a release to another environment."""
    from deploylib import aws, observe, report
    from deploylib.images import promotion

    target = load(c, env)
    source = load(c, promotion.source_of(target, from_))
    ends = (aws.signed_in(source), source), (aws.signed_in(target), target)
    with report.waiting(f"Looking at {source.name} and {target.name}"):
        found, _ = observe.promotion(*ends, number=promotion.parse(release))
    report.table(found.title, promotion.COLUMNS, found.rows, output=output)
    if dry_run or found.nothing_to_do:
        return
    report.confirmed(target, f"Promote to {target.name}", yes=yes, confirm=confirm)
    report.follow(promotion.carry_out(found), output=output)


@task(
    name="test",
    help={
        **ENV,
        **OUTPUT,
        "role": "test this role alone",
        "allow_dirty": "test uncommitted changes too",
    },
)
@command
def run_tests(c: Context, env: str = "", role: str = "", allow_dirty: bool = False, output: str = "text") -> None:
    """Test the images of this commit here; nothing is pushed."""
    from deploylib import aws, checkout, observe, report
    from deploylib.images import trial

    environment = load(c, env)
    trial.roles_to_test(environment, role)
    commit = checkout.observe(root(c), environment.app.path)
    checkout.refuse_dirty(commit, allow=allow_dirty)
    account = aws.signed_in(environment)
    with report.waiting(f"Looking at {environment.name}"):
        found = observe.everything(account, environment, commit)
    happening = trial.carry_out(account, environment, found.live.contract, found.recipes, found.present, role=role)
    report.follow(happening, output=output)


@task(name="prune", help={**ENV, **OUTPUT, **CONFIRM, **KEEP, "dry_run": "stop after showing what would go, and why"})
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
    """Remove old images from ECR; nothing in use."""
    from deploylib import aws, report
    from deploylib.retention import repository

    environment = load(c, env)
    account = aws.signed_in(environment)
    with report.waiting(f"Looking at {environment.name}"):
        found = repository.propose(account, environment, keep=keep)
    report.prune(found, output=output)
    if dry_run or not found.going:
        return
    report.confirmed(environment, f"Remove from {environment.name}", yes=yes, confirm=confirm)
    report.pruned(repository.execute(account, environment, found, keep=keep), output=output)


@task(name="clean", help={**ENV, **OUTPUT, **KEEP, "dry_run": "stop after showing what would go, and why"})
@command
def clean(c: Context, env: str = "", keep: int = 0, dry_run: bool = False, output: str = "text") -> None:
    """Remove old images from this machine."""
    from deploylib import report
    from deploylib.retention import local, repository
    from deploylib.toolchain import engine

    environment = load(c, env)
    api, app = engine.find().api, environment.app.name
    fates = local.plan(app, *local.observe(api, app), keep=repository.chosen(environment, keep))
    report.clean(app, fates, output=output)
    if not dry_run and any(not one.stays for one in fates):
        report.cleaned_up(local.remove(api, fates), output=output)
