"""Who is told of releases."""

from __future__ import annotations

import time

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.options import ENV, OUTPUT
from deploylib.tasks.place import load


@task(name="test", help={**ENV, **OUTPUT})
@command
def try_out(c: Context, env: str = "", output: str = "text") -> None:
    """Send a message to all who are told of releases."""
    from deploylib import aws, notify, report
    from deploylib.notify import trial

    environment = load(c, env)
    with report.waiting(f"Telling whom {environment.name} tells"):
        rows = trial.carry_out(environment, notify.channels(environment, aws.signed_in(environment)), clock=time)
    report.table(f"Notifications of {environment.name}", trial.COLUMNS, rows, output=output)
    trial.refuse_untold(rows)
