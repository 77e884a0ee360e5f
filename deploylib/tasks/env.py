"""The environments: which there are, what they say, what is missing here."""

from __future__ import annotations

import sys

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.options import ENV, OUTPUT
from deploylib.tasks.place import load, named, root


@task(name="list", help=OUTPUT)
@command
def list_(c: Context, output: str = "text") -> None:
    """List the environments with their accounts."""
    from deploylib import config, report

    found = [config.load(root(c), name) for name in config.names(root(c))]
    rows = [(one.name, one.account.id, one.account.region, one.protected, one.default) for one in found]
    report.table("Environments", ("name", "account", "region", "protected", "default"), rows, output=output)


@task(name="show", help={**ENV, **OUTPUT})
@command
def show(c: Context, env: str = "", output: str = "text") -> None:
    """Show an environment: every key, its value and its file."""
    from deploylib import config, report

    name = load(c, env).name
    rows = [(key, value, file) for key, (value, file) in config.origins(root(c), name).items()]
    report.table(f"Environment {name}", ("key", "value", "file"), rows, output=output)


@task(name="validate", help=ENV)
@command
def validate(c: Context, env: str = "") -> None:
    """Check the files of one environment, or of all."""
    from deploylib import config, report

    env = named(c, env)
    config.validate(root(c), env)
    report.say(f"{env or ', '.join(config.names(root(c)))}: no mistakes")


@task(name="doctor", help={"env": "look into this environment's account too", **OUTPUT})
@command
def doctor(c: Context, env: str = "", output: str = "text") -> None:
    """Check that everything is here that the commands need."""
    from deploylib import doctor, report

    env = named(c, env)
    doctor.knock(doctor.Place(root=root(c)), env)
    with report.waiting("Looking around"):
        rows = doctor.examine(doctor.Place(root=root(c)), env)
    report.health(rows, output=output)
    doctor.refuse_missing(rows, repeat=f"inv env.doctor --env {env}" if env else "inv env.doctor")


@task(
    name="schema",
    help={
        "part": "of one file of an environment: nothing is required",
        "write": "write that to environments/schema.json, for editors",
        "check": "exit 9 when that file is out of date; write nothing",
    },
)
@command
def schema(c: Context, part: bool = False, write: bool = False, check: bool = False) -> None:
    """Print the JSON Schema of an environment."""
    from deploylib.config import document

    if write or check:
        (document.check if check else document.write)(root(c))
        return
    sys.stdout.write(document.render(root(c), part=part))
