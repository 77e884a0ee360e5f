"""The local AWS."""

from __future__ import annotations

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.options import ENV
from deploylib.tasks.place import named, root

ONE = {"env": "only that of this environment"}


@task(name="up", help=ENV)
@command
def up(c: Context, env: str = "") -> None:
    """Start a local AWS; its tasks run as containers."""
    from deploylib import report
    from deploylib.localaws import accounts, emulator
    from deploylib.toolchain import engine

    environment = accounts.load(root(c), named(c, env))
    name, account_id, region = (environment.account.profile, environment.account.id, environment.account.region)
    emulator.up(root(c), engine=engine.find(), name=name, account_id=account_id, region=region, say=report.say)
    report.say(emulator.render(emulator.status(root(c), name), environment=environment.name))


@task(name="status", help=ONE)
@command
def status(c: Context, env: str = "") -> None:
    """Show every local AWS, and where the application answers."""
    from deploylib import report
    from deploylib.localaws import accounts

    report.say(accounts.render(root(c), named(c, env)))


@task(name="down", help=ONE)
@command
def down(c: Context, env: str = "") -> None:
    """Stop every local AWS and remove everything that it made."""
    from deploylib import report
    from deploylib.localaws import accounts, emulator

    name = accounts.load(root(c), named(c, env)).account.profile if env else ""
    report.say(f"removed {emulator.down(root(c), name, say=report.say)}")
