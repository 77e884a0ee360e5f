"""The settings in Parameter Store."""

from __future__ import annotations

import sys

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.options import CONFIRM, ENV, OUTPUT
from deploylib.tasks.place import load


@task(name="list", help={**ENV, **OUTPUT, "check": "exit 9 when a container asks for one that is not there"})
@command
def list_(c: Context, env: str = "", check: bool = False, output: str = "text") -> None:
    """List the settings: who reads them, what is missing."""
    from deploylib import aws, report
    from deploylib.settings import inventory

    environment = load(c, env)
    with report.waiting(f"Looking at {environment.name}"):
        lines = inventory.listing(aws.signed_in(environment), environment)
    report.table(f"Settings of {environment.name}", inventory.COLUMNS, lines, output=output)
    if check:
        inventory.refuse_missing(environment, lines)


@task(name="get", help={**ENV, **OUTPUT, "reveal": "print the value, and nothing else"})
@command
def get(c: Context, name: str, env: str = "", reveal: bool = False, output: str = "text") -> None:
    """Show a setting; its value with --reveal only."""
    from deploylib import aws, report
    from deploylib.settings import inventory

    environment = load(c, env)
    found = inventory.one(aws.signed_in(environment), environment, name, values=reveal)
    if reveal:
        sys.stdout.write(found.value + "\n")
        return
    row = (name, "(hidden)", found.kind, found.version, found.modified.isoformat(timespec="seconds"))
    report.table(environment.name, ("setting", "value", "type", "version", "changed"), [row], output=output)


@task(
    name="set",
    help={**ENV, **OUTPUT, **CONFIRM, "name": "the variable", "file": "read the value from it (else standard input)"},
)
@command
def set_(
    c: Context, name: str, env: str = "", file: str = "", yes: bool = False, confirm: str = "", output: str = "text"
) -> None:
    """Set one setting: value from standard input or a file."""
    from deploylib import aws, report
    from deploylib.settings import importing, sources

    environment = load(c, env)
    account = aws.signed_in(environment)
    value = None if file else report.typed(name)
    value = sources.one_value(file, sys.stdin) if value is None else value
    given = sources.Given(name=name, value=value, place=file or "standard input")
    found = importing.propose_one(account, environment, given)
    report.table(f"Settings of {environment.name}", importing.COLUMNS, found.rows, output=output)
    if found.writes and environment.protected:
        report.confirmed(environment, f"Set {name} in {environment.name}", yes=yes, confirm=confirm)
    if importing.carry_out(account, found):
        report.say(f"running tasks get it with: inv refresh --env {environment.name}", output=output)


@task(
    name="import",
    help={
        **ENV,
        **OUTPUT,
        **CONFIRM,
        "file": "a .env file; - is standard input",
        "prefix": "variables of this process that start so, without it: STG_",
        "suffix": "variables of this process that end so, without it: _PRODUCTION",
        "s3": "an environment file of ECS: s3://BUCKET/KEY",
        "dry_run": "stop after showing what would be written",
    },
)
@command
def import_(
    c: Context,
    env: str = "",
    file: str = "",
    prefix: str = "",
    suffix: str = "",
    s3: str = "",
    dry_run: bool = False,
    yes: bool = False,
    confirm: str = "",
    output: str = "text",
) -> None:
    """Take settings over from a file, from variables, from S3."""
    from deploylib import aws, report
    from deploylib.settings import importing, sources

    environment = load(c, env)
    source = sources.check(sources.Source(file=file, prefix=prefix, suffix=suffix, s3=s3))
    account = aws.signed_in(environment)
    given = sources.read(source, lambda: account.s3, stdin=sys.stdin)
    with report.waiting(f"Comparing with {environment.name}"):
        found = importing.propose(account, environment, given, str(source))
    report.table(f"{source} → {environment.name}", importing.COLUMNS, found.rows, output=output)
    report.say(found.summary, output=output)
    if dry_run or not found.writes:
        return
    report.confirmed(environment, f"Import into {environment.name}", yes=yes, confirm=confirm)
    with report.waiting(f"Writing {len(found.writes)} settings"):
        written = importing.carry_out(account, found)
    report.say(f"{written} written; running tasks get them with: inv refresh --env {environment.name}", output=output)


@task(name="diff", help={**ENV, **OUTPUT, "with_": "the other environment", "check": "exit 9 when something differs"})
@command
def diff(c: Context, with_: str, env: str = "", check: bool = False, output: str = "text") -> None:
    """Compare two environments' settings; no value is shown."""
    from deploylib import aws, report
    from deploylib.settings import inventory

    both = load(c, env), load(c, with_)
    with report.waiting(f"Looking at {both[0].name} and {both[1].name}"):
        rows = inventory.differences(*((aws.signed_in(one), one) for one in both))
    report.table(f"{both[0].name} and {both[1].name}", inventory.DIFFERENCE_COLUMNS, rows, output=output)
    if check:
        inventory.refuse_different(both[0], both[1], rows)


@task(name="rm", help={**ENV, **CONFIRM, "name": "one, or several with commas", "allow_used": "even if tasks read it"})
@command
def rm(c: Context, name: str, env: str = "", yes: bool = False, confirm: str = "", allow_used: bool = False) -> None:
    """Remove settings that no container reads."""
    from deploylib import aws, observe, report
    from deploylib.settings import inventory

    environment, wanted = load(c, env), tuple(filter(None, name.split(",")))
    account = aws.signed_in(environment)
    if not allow_used:
        inventory.refuse_used(environment, wanted, observe.readers(account, environment))
    report.confirmed(environment, f"Remove {', '.join(wanted)} from {environment.name}", yes=yes, confirm=confirm)
    report.say(f"removed {inventory.remove(account, environment, wanted)}")
